"""The table of the fifth law for AG-UI's operation: how to provoke each of its statuses."""

import json

from tests.contract.anyhow import anyhow
from tests.contract.asking import CANARY, NOBODY, Request, chat, run, run_body
from tests.contract.provocations import (
    Provocation,
    after,
    crashed,
    fresh,
    revoked,
    slowly,
    without_database,
)
from tests.contract.stage import STALLED
from tests.contract.way import Way
from tests.support.agui import agui_asked, assistants, users

HELLO = run("hello")
_IMAGE = {"type": "image", "source": {"type": "url", "value": f"https://{CANARY}.example/"}}


def asking(**fields: object) -> Request:
    """A run, and other fields."""
    return run_body(json.dumps(agui_asked(users("hello")) | fields))


def _way(name: str, code: str | None, provocation: Provocation, failed: str | None = None, read: int = 0) -> Way:
    return Way("runAgent", name, code, provocation, read=read, failed=failed)


RUNNING_AGENTS = [
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
