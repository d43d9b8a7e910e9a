"""The table of the fifth law for the AI SDK's operations: how to provoke each of their statuses."""

import json
from dataclasses import replace

from tests.contract.anyhow import anyhow
from tests.contract.asking import CANARY, Request, get, ui, ui_body
from tests.contract.provocations import (
    Provocation,
    after,
    during,
    fresh,
    revoked,
    slowly,
    without_database,
)
from tests.contract.stage import STALLED
from tests.contract.way import Way
from tests.support.ui import again_at, ui_asked, user

HELLO = ui("hello")
RUNNING = get(again_at("{conversation_id}"))
NOTHING = get(again_at(CANARY))


def asking(**fields: object) -> Request:
    """A message, and other fields."""
    return ui_body(json.dumps(ui_asked(user("hello")) | fields))


def _way(name: str, code: str | None, provocation: Provocation, failed: str | None = None) -> Way:
    return Way("streamUiChat", name, code, provocation, failed=failed)


CHATTING = [
    _way("a chat", None, fresh(HELLO)),
    _way("a chat of many words", None, fresh(ui("/simulate repeat=500\nhello there, "))),
    _way("a chat without a word", None, fresh(ui("/simulate\n"))),
    _way("a chat cut at its bound", None, fresh(ui("one two three"), max_reply_characters=8)),
    _way("a chat that fails late", None, fresh(ui("/simulate fail_after=1\nhello there")), failed="bot-failed"),
    _way("a chat asked for again", None, after(HELLO, HELLO)),
    _way("the first message edited", None, after(HELLO, asking(messageId="u1"))),
    _way("an answer anew", None, after(HELLO, asking(trigger="regenerate-message", messageId="{reply_id}"))),
    _way("a key that is revoked", None, revoked(ui(STALLED)), failed="access-ended"),
    _way("not JSON", "malformed-body", fresh(ui_body("{"))),
    _way("half a body", "body-too-slow", slowly(ui_body('{"id": ['))),
    _way("another message with its id", "idempotency-key-reused", after(HELLO, ui("hallo"))),
    _way("a long body", "body-too-large", fresh(ui_body(" " * 11), max_body_bytes=10)),
    _way("a form", "unsupported-media-type", fresh(ui_body("a=b", "application/x-www-form-urlencoded"))),
    _way("no message", "invalid-body", fresh(asking(messages=[]))),
    _way("a message without text", "invalid-body", fresh(ui(" "))),
    _way("a long message", "invalid-body", fresh(ui("a" * 11), max_message_characters=10)),
    _way("a message of the bot's", "invalid-body", fresh(asking(messages=[user("a") | {"role": "assistant"}]))),
    _way(
        "a file",
        "unsupported-parameter",
        fresh(asking(messages=[user("a") | {"parts": [{"type": "file", "url": f"data:,{CANARY}"}]}])),
    ),
    *(_way(*row) for row in anyhow(ui)),
    _way("no database", "storage-unavailable", without_database(HELLO)),
]

RESUMING = [
    Way(
        "resumeUiChat",
        "a running reply",
        None,
        replace(during(RUNNING, text="/simulate pace_ms=80\na b c d e f g h"), is_once=True),
    ),
    Way("headUiChat", "a running reply", None, during(RUNNING.head())),
    Way("resumeUiChat", "nothing runs", None, after(HELLO, get(again_at("chat"))), good=204),
    Way("resumeUiChat", "no such chat", None, fresh(NOTHING), good=204),
    Way("resumeUiChat", "no name of a chat", None, fresh(get(again_at("-%20"))), good=204),
    Way("resumeUiChat", "as many streams as one may", "stream-limit-reached", during(RUNNING, streams_per_client=1)),
    Way("resumeUiChat", "no database", "storage-unavailable", without_database(NOTHING)),
]

CHATTING_UI = [*CHATTING, *RESUMING]
