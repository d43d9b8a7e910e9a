"""The table of the fifth law for operations with a message: how to provoke each of their problems."""

from app.chat.errors import BotRateLimited, BotUnavailable
from tests.contract.anyhow import anyhow
from tests.contract.asking import CANARY, NOBODY, body, branch, chat
from tests.contract.provocations import (
    Raising,
    after,
    crashed,
    during,
    elsewhere,
    fresh,
    revoked,
    slowly,
    without_database,
)
from tests.contract.stage import STALLED
from tests.contract.way import Way, both

HELLO = chat("hello")
LATE = chat("/simulate fail_after=1\na b")
FORM = "application/x-www-form-urlencoded"
CURSOR = "{reply_id}:1"
KEYED = chat("hello", Idempotency_Key=CANARY)

ALIKE = [
    both("a reply", None, fresh(HELLO)),
    both("a reply of many words", None, fresh(chat("/simulate repeat=500\nhello there, "))),
    both("a reply without a word", None, fresh(chat("/simulate\n"))),
    both("a reply cut at its bound", None, fresh(chat("one two three"), max_reply_characters=8)),
    both("a late failure", None, fresh(chat("/simulate fail_after=1\nhello there")), failed="bot-failed"),
    both("more of a conversation", None, after(HELLO, chat("hello", "{conversation_id}"))),
    both("a repetition", None, after(KEYED, KEYED)),
    both("a repetition of what failed", None, after(chat("/simulate status=502\n"), HELLO)),
    both("not JSON", "malformed-body", fresh(body("{"))),
    both("a key of two words", "malformed-idempotency-key", fresh(chat("a", Idempotency_Key="a b"))),
    both("no such conversation", "conversation-not-found", fresh(chat("hello", NOBODY))),
    both("half a body", "body-too-slow", slowly(body('{"user_message": "'))),
    both("an edited message", None, after(HELLO, branch("edits", user_message="hi"))),
    both("a reply anew", None, after(HELLO, branch("regenerates", conversation_id="{conversation_id}"))),
    both("a failed reply anew", None, after(LATE, branch("regenerates")), failed="bot-failed"),
    both("no such reply", "reply-not-found", fresh(branch("regenerates", NOBODY))),
    both(
        "another conversation's reply", "reply-not-found", after(HELLO, branch("regenerates", conversation_id=NOBODY))
    ),
    both("a reply in a busy conversation", "conversation-busy", during(branch("regenerates"))),
    both("a message for an old one", "invalid-body", fresh(branch("regenerates", user_message="hello"))),
    both("a busy conversation", "conversation-busy", during(chat("hello", "{conversation_id}"))),
    both("a conversation busy elsewhere", "conversation-busy", elsewhere(chat("hello", "{conversation_id}"))),
    both("a key that came before", "idempotency-key-reused", after(KEYED, chat("hallo", Idempotency_Key=CANARY))),
    both("a long body", "body-too-large", fresh(body(" " * 11), max_body_bytes=10)),
    both("a form", "unsupported-media-type", fresh(body("a=b", FORM))),
    both("no message", "invalid-body", fresh(body("{}"))),
    *(both(*row) for row in anyhow(chat)),
    both("a rate limit of a model", "bot-rate-limited", fresh(HELLO, Raising(BotRateLimited()))),
    both("a bot that is down for long", "bot-unavailable", fresh(HELLO, Raising(BotUnavailable()))),
    both("no database", "storage-unavailable", without_database(HELLO)),
    both("a silent bot", "bot-timeout", fresh(chat("/simulate stall_after=0\na"), bot_silence_seconds=0.1)),
    both("a key that is revoked", None, revoked(chat(STALLED)), failed="access-ended"),
]
"""For both operations."""

RESUMING = [
    Way("streamChat", "the rest of a reply", None, after(chat("a b c"), chat("a", Last_Event_ID=CURSOR)), read=1),
    Way("streamChat", "a cursor that is none", "malformed-cursor", fresh(chat("hello", Last_Event_ID=CANARY))),
    Way(
        "streamChat", "a word that is not there", "cursor-ahead", after(HELLO, chat("a", Last_Event_ID="{reply_id}:2"))
    ),
    Way("streamChat", "the rest of nothing", "reply-not-found", fresh(chat("hello", Last_Event_ID=f"{NOBODY}:0"))),
    Way("streamChat", "a word that was lost", "cursor-expired", crashed(chat("hello", Last_Event_ID="{reply_id}:2"))),
    Way("streamChat", "no word before a crash", "reply-interrupted", crashed(chat("a", Last_Event_ID="{reply_id}:0"))),
    Way("streamChat", "a page is wanted", "stream-only", fresh(chat("hello", accept="text/html"))),
    Way("streamChat", "JSON is wanted", "stream-only", fresh(chat("hello", accept="application/json"))),
    Way("createReply", "a page is wanted", "json-only", fresh(chat("hello", accept="text/html").finished())),
    Way("createReply", "a stream is wanted", "json-only", fresh(chat("a", accept="text/event-stream").finished())),
]
"""For the stream only, and the refusal by the other operation."""

SENDING = [*(way for ways in ALIKE for way in ways), *RESUMING]
