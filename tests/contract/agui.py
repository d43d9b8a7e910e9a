"""The table of the fifth law for AG-UI's operations: how to provoke each of their statuses."""

import json

from tests.contract.anyhow import anyhow
from tests.contract.asking import CANARY, NOBODY, Request, chat, get, rejoin, run, run_body
from tests.contract.provocations import (
    Provocation,
    after,
    crashed,
    crashed_late,
    during,
    fresh,
    revoked,
    slowly,
    without_database,
)
from tests.contract.stage import STALLED
from tests.contract.way import Way
from tests.support.agui import AG_UI, agui_asked, assistants, users

HELLO = run("hello")
_IMAGE = {"type": "image", "source": {"type": "url", "value": f"https://{CANARY}.example/"}}


def asking(**fields: object) -> Request:
    """A run, and other fields."""
    return run_body(json.dumps(agui_asked(users("hello")) | fields))


def _way(name: str, code: str | None, provocation: Provocation, failed: str | None = None, read: int = 0) -> Way:
    return Way("runAgent", name, code, provocation, read=read, failed=failed)


_RUN = rejoin("run-1")
_NOTHING = rejoin(CANARY)
_FAILS_LATE = run("/simulate fail_after=1\nhello there")


def _again(name: str, code: str | None, provocation: Provocation, failed: str | None = None, read: int = 0) -> Way:
    return Way("rejoinAgent", name, code, provocation, read=read, failed=failed)


_REJOINING = [
    _again("a run again", None, after(HELLO, _RUN)),
    _again("a run from the store", None, after(HELLO, _RUN, restart=True)),
    _again("a run without an offset", None, after(HELLO, get(f"{AG_UI}?runId=run-1"))),
    _again(
        "the rest of a run again", None, after(run("one two"), rejoin("run-1", Last_Event_ID="{reply_id}:1")), read=1
    ),
    _again("an empty position", None, after(HELLO, rejoin("run-1", Last_Event_ID=""))),
    _again("a late failure", None, after(_FAILS_LATE, _RUN, restart=True), failed="bot-failed"),
    _again("an early failure", None, after(run("/simulate status=502\n"), _RUN), failed="bot-failed"),
    _again("what a crash has left of a run", None, crashed_late(_RUN), failed="reply-interrupted"),
    _again("no run in the query", "malformed-run", fresh(get(AG_UI))),
    _again("an offset that is none", "malformed-run", fresh(get(f"{AG_UI}?runId={CANARY}&offset=1"))),
    _again("a thread instead of a run", "unknown-parameter", fresh(get(f"{AG_UI}?threadId={CANARY}"))),
    _again("no position", "malformed-cursor", after(HELLO, rejoin("run-1", Last_Event_ID=CANARY))),
    _again("no such run", "run-not-found", fresh(_NOTHING)),
    _again(
        "a position in another run",
        "cursor-of-another-reply",
        after(HELLO, rejoin("run-1", Last_Event_ID=f"{NOBODY}:start")),
    ),
    _again("a word not there", "cursor-ahead", after(HELLO, rejoin("run-1", Last_Event_ID="{reply_id}:2"))),
    _again("a word lost", "cursor-expired", crashed(rejoin("run-1", Last_Event_ID="{reply_id}:2"))),
    _again("as many streams as one may", "stream-limit-reached", during(_RUN, said=HELLO, streams_per_client=1)),
    _again("all streams taken", "too-many-streams", during(_RUN, said=HELLO, max_open_streams=1)),
    _again("no database for a run", "storage-unavailable", without_database(_NOTHING)),
]

RUNNING_AGENTS = [
    *_REJOINING,
    _way("a run", None, fresh(HELLO)),
    _way("a run of many words", None, fresh(run("/simulate repeat=500\nhello there, "))),
    _way("a run without a word", None, fresh(run("/simulate\n"))),
    _way("a run cut at its bound", None, fresh(run("one two three"), max_reply_characters=8)),
    _way("a run that fails late", None, fresh(run("/simulate fail_after=1\nhello there")), failed="bot-failed"),
    _way("a run asked for again", None, after(HELLO, HELLO)),
    _way("a run of a bot that can nothing", None, fresh(asking(tools=[{"name": "see"}], context=[{}], state=1))),
    _way("an answer anew", None, after(HELLO, asking(runId="2", messages=[users("hello"), assistants("{reply_id}")]))),
    _way("the rest of a run", None, after(chat("one two"), run("one two", Last_Event_ID="{reply_id}:1")), read=1),
    _way("a key that is revoked", None, revoked(run(STALLED)), failed="access-ended"),
    _way("not JSON", "malformed-body", fresh(run_body("{"))),
    _way("no cursor", "malformed-cursor", fresh(run("hello", Last_Event_ID=CANARY))),
    _way("an image", "unsupported-parameter", fresh(asking(messages=[users("a") | {"content": [_IMAGE]}]))),
    _way("an answer to an interrupt", "unsupported-parameter", fresh(asking(resume=[{"interruptId": CANARY}]))),
    _way("a cursor of no run", "reply-not-found", fresh(run("hello", Last_Event_ID=f"{NOBODY}:start"))),
    _way("half a body", "body-too-slow", slowly(run_body('{"threadId": ['))),
    _way("another message in the same run", "idempotency-key-reused", after(HELLO, run("hallo"))),
    _way("a word that was lost", "cursor-expired", crashed(run("hello", Last_Event_ID="{reply_id}:2"))),
    _way("a long body", "body-too-large", fresh(run_body(" " * 11), max_body_bytes=10)),
    _way("a form", "unsupported-media-type", fresh(run_body("a=b", "application/x-www-form-urlencoded"))),
    _way("no message", "invalid-body", fresh(asking(messages=[]))),
    _way("a message without text", "invalid-body", fresh(run(" "))),
    _way("a long message", "invalid-body", fresh(run("a" * 11), max_message_characters=10)),
    _way("a message of the bot's", "invalid-body", fresh(asking(messages=[assistants("a", "hello")]))),
    _way("a word that is not there", "cursor-ahead", after(HELLO, run("hello", Last_Event_ID="{reply_id}:2"))),
    *(_way(*row) for row in anyhow(run)),
    _way("no database", "storage-unavailable", without_database(HELLO)),
]
