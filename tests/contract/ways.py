"""The table of the fifth law: for each operation, how each status and each problem that it documents is provoked."""

from dataclasses import dataclass

from app.chat.errors import BotBusy, BotMisconfigured, BotRateLimited, BotSaidNothing, BotUnavailable
from tests.contract.asking import CANARY, NOBODY, Request, body, chat, delete, get
from tests.contract.document import PROBLEMS, STATUSES
from tests.contract.provocations import (
    Provocation,
    Raising,
    after,
    crashed,
    crashed_late,
    draining,
    during,
    elsewhere,
    fresh,
    revoked,
    with_a_defect,
    with_half_a_body,
    with_something_else_than_http,
    without_database,
)
from tests.contract.stage import STALLED

WHOLE = "application/json"
HELLO = chat("hello")
REPLY = "/api/replies/{reply_id}"
CONVERSATION = "/api/conversations/{conversation_id}"
CURSOR = "{reply_id}:1"
NO_REPLY = f"/api/replies/{NOBODY}"
NO_CONVERSATION = f"/api/conversations/{NOBODY}"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to provoke a response."""

    operation_id: str | None
    """None for what no operation answers."""
    name: str
    code: str | None
    """The problem that is sent; None for a good end."""
    provoke: Provocation
    read: int = 0
    """How many words the request says were read before."""
    failed: str | None = None
    """The problem with which a stream ends."""

    @property
    def status(self) -> int:
        """The status that should come."""
        if self.code:
            status: int = PROBLEMS[self.code]["status"]
            return status
        return min(STATUSES[self.operation_id]) if self.operation_id else 200


WAYS = [
    Way("streamChat", "a stream", None, fresh(HELLO)),
    Way("streamChat", "a stream of many words", None, fresh(chat("/simulate repeat=500\nhello there, "))),
    Way("streamChat", "a reply as JSON", None, fresh(chat("hello", accept=WHOLE))),
    Way("streamChat", "a reply without a word", None, fresh(chat("/simulate\n"))),
    Way("streamChat", "a reply cut at its bound", None, fresh(chat("one two three"), max_reply_characters=8)),
    Way(
        "streamChat",
        "a failure behind the first word",
        None,
        fresh(chat("/simulate fail_after=1\nhello there")),
        failed="bot-failed",
    ),
    Way("streamChat", "more of a conversation", None, after(HELLO, chat("hello", "{conversation_id}"))),
    Way("streamChat", "the rest of a reply", None, after(chat("a b c"), chat("a", Last_Event_ID=CURSOR)), read=1),
    Way("streamChat", "not JSON", "malformed-body", fresh(body("{"))),
    Way("streamChat", "a cursor that is none", "malformed-cursor", fresh(chat("hello", Last_Event_ID=CANARY))),
    Way(
        "streamChat", "a word that is not there", "cursor-ahead", after(HELLO, chat("a", Last_Event_ID="{reply_id}:2"))
    ),
    Way("streamChat", "a key of two words", "malformed-idempotency-key", fresh(chat("a", Idempotency_Key="a b"))),
    Way("streamChat", "no such conversation", "conversation-not-found", fresh(chat("hello", NOBODY))),
    Way("streamChat", "the rest of nothing", "reply-not-found", fresh(chat("hello", Last_Event_ID=f"{NOBODY}:0"))),
    Way("streamChat", "a page is wanted", "not-acceptable", fresh(chat("hello", accept="text/html"))),
    Way("streamChat", "half a body", "body-too-slow", with_half_a_body),
    Way("streamChat", "a busy conversation", "conversation-busy", during(chat("hello", "{conversation_id}"))),
    Way(
        "streamChat",
        "a conversation that is busy elsewhere",
        "conversation-busy",
        elsewhere(chat("hello", "{conversation_id}")),
    ),
    Way("streamChat", "a word that was lost", "cursor-expired", crashed(chat("hello", Last_Event_ID="{reply_id}:2"))),
    Way("streamChat", "a long body", "body-too-large", fresh(body(" " * 11), max_body_bytes=10)),
    Way("streamChat", "a form", "unsupported-media-type", fresh(body("a=b", FORM))),
    Way("streamChat", "no message", "invalid-body", fresh(body("{}"))),
    Way("streamChat", "a wrong directive", "message-refused", fresh(chat(f"/simulate {CANARY}\nhello"))),
    Way(
        "streamChat",
        "a key that came before",
        "idempotency-key-reused",
        after(chat("hello", Idempotency_Key=CANARY), chat("hallo", Idempotency_Key=CANARY)),
    ),
    Way("streamChat", "a rate limit", "bot-rate-limited", fresh(chat("/simulate status=429\n"))),
    Way("streamChat", "a rate limit of a model", "bot-rate-limited", fresh(HELLO, Raising(BotRateLimited()))),
    Way("streamChat", "a bot with a defect", "internal", fresh(HELLO, Raising(RuntimeError(CANARY)))),
    Way(
        "streamChat",
        "the rest of nothing, after a crash",
        "reply-interrupted",
        crashed(chat("hello", Last_Event_ID="{reply_id}:0")),
    ),
    Way("streamChat", "a bot that fails", "bot-failed", fresh(chat("/simulate status=502\n"))),
    Way(
        "streamChat", "a late failure, as JSON", "bot-failed", fresh(chat("/simulate fail_after=1\na b", accept=WHOLE))
    ),
    Way("streamChat", "a bot that is down", "bot-unavailable", fresh(chat("/simulate status=503\n"))),
    Way("streamChat", "a bot that is down for long", "bot-unavailable", fresh(HELLO, Raising(BotUnavailable()))),
    Way("streamChat", "a bot with a wrong key", "bot-misconfigured", fresh(HELLO, Raising(BotMisconfigured()))),
    Way("streamChat", "a bot without a word", "bot-said-nothing", fresh(HELLO, Raising(BotSaidNothing()))),
    Way("streamChat", "a bot that too many wait for", "bot-busy", fresh(HELLO, Raising(BotBusy()))),
    Way("streamChat", "as many streams as may be", "too-many-streams", during(HELLO, running=3, max_open_streams=3)),
    Way("streamChat", "a message while draining", "draining", draining(HELLO)),
    Way("streamChat", "no database", "storage-unavailable", without_database(HELLO)),
    Way(
        "streamChat",
        "the rest of what runs elsewhere",
        "reply-elsewhere",
        elsewhere(chat("hello", Last_Event_ID=CURSOR)),
    ),
    Way("streamChat", "a bot that times out", "bot-timeout", fresh(chat("/simulate status=504\n"))),
    Way(
        "streamChat", "a silent bot", "bot-timeout", fresh(chat("/simulate stall_after=0\na"), bot_silence_seconds=0.1)
    ),
    Way("streamReply", "a reply again", None, after(chat("hello there"), get(REPLY))),
    Way("streamReply", "a reply again, as JSON", None, after(HELLO, get(REPLY, accept=WHOLE))),
    Way("streamReply", "a reply from the store", None, after(chat("hello there"), get(REPLY), restart=True)),
    Way("streamReply", "no word read", None, after(HELLO, get(REPLY, Last_Event_ID="{reply_id}:0"))),
    Way(
        "streamReply", "the last word read", None, after(HELLO, get(REPLY, Last_Event_ID=CURSOR), restart=True), read=1
    ),
    Way("streamReply", "an empty cursor", None, after(HELLO, get(REPLY, Last_Event_ID=""))),
    Way("streamReply", "what a crash has left", None, crashed_late(get(REPLY))),
    Way("streamReply", "a late failure", None, after(chat("/simulate fail_after=1\na b"), get(REPLY), restart=True)),
    Way("streamReply", "a cursor that is none", "malformed-cursor", after(HELLO, get(REPLY, Last_Event_ID=CANARY))),
    Way("streamReply", "another's cursor", "foreign-cursor", after(HELLO, get(REPLY, Last_Event_ID=f"{NOBODY}:1"))),
    Way("streamReply", "a word not there", "cursor-ahead", after(HELLO, get(REPLY, Last_Event_ID="{reply_id}:2"))),
    Way("streamReply", "a word to come", "cursor-ahead", during(get(REPLY, Last_Event_ID="{reply_id}:3"))),
    Way(
        "streamReply",
        "a word that never was",
        "cursor-ahead",
        after(chat("/simulate fail_after=1\na b"), get(REPLY, Last_Event_ID="{reply_id}:2"), restart=True),
    ),
    Way("streamReply", "nothing there", "reply-not-found", fresh(get(NO_REPLY))),
    Way("streamReply", "a page is wanted", "not-acceptable", after(HELLO, get(REPLY, accept="text/html"))),
    Way("streamReply", "a word that was lost", "cursor-expired", crashed(get(REPLY, Last_Event_ID="{reply_id}:2"))),
    Way("streamReply", "a refused message", "message-refused", after(chat("/simulate x\n"), get(REPLY))),
    Way("streamReply", "a stored refusal", "message-refused", after(chat("/simulate x\n"), get(REPLY), restart=True)),
    Way("streamReply", "a rate limit", "bot-rate-limited", after(chat("/simulate status=429\n"), get(REPLY))),
    Way("streamReply", "no word before a crash", "reply-interrupted", crashed(get(REPLY))),
    Way("streamReply", "part of a reply, as JSON", "reply-interrupted", crashed_late(get(REPLY, accept=WHOLE))),
    Way("streamReply", "a failure", "bot-failed", after(chat("/simulate status=502\n"), get(REPLY), restart=True)),
    Way("streamReply", "an outage", "bot-unavailable", after(chat("/simulate status=503\n"), get(REPLY), restart=True)),
    Way("streamReply", "no database", "storage-unavailable", without_database(get(NO_REPLY))),
    Way("streamReply", "made elsewhere", "reply-elsewhere", elsewhere(get(REPLY))),
    Way(
        "streamReply",
        "as many streams as may be",
        "too-many-streams",
        during(get(REPLY), said=HELLO, max_open_streams=1),
    ),
    Way("streamReply", "a silence", "bot-timeout", after(chat("/simulate status=504\n"), get(REPLY), restart=True)),
    Way("cancelReply", "a running reply", None, during(delete(REPLY))),
    Way("cancelReply", "a reply that is over", None, after(HELLO, delete(REPLY))),
    Way("cancelReply", "a reply that is long over", None, after(HELLO, delete(REPLY), restart=True)),
    Way("cancelReply", "nothing there", "reply-not-found", fresh(delete(NO_REPLY))),
    Way("cancelReply", "made elsewhere", "reply-elsewhere", elsewhere(delete(REPLY))),
    Way("cancelReply", "no database", "storage-unavailable", without_database(delete(NO_REPLY))),
    Way("listConversations", "none", None, fresh(get("/api/conversations"))),
    Way("listConversations", "some", None, after(HELLO, get("/api/conversations?limit=100"))),
    Way("listConversations", "no page", "malformed-page", fresh(get("/api/conversations?limit=0"))),
    Way(
        "listConversations", "a bad cursor", "malformed-page-cursor", fresh(get(f"/api/conversations?cursor={CANARY}"))
    ),
    Way("listConversations", "no database", "storage-unavailable", without_database(get("/api/conversations"))),
    Way("getConversation", "a conversation", None, after(HELLO, get(CONVERSATION))),
    Way("getConversation", "a conversation that goes on", None, during(get(CONVERSATION))),
    Way("getConversation", "after a crash", None, crashed_late(get(CONVERSATION))),
    Way("getConversation", "after a failure", None, after(chat("/simulate status=502\n"), get(CONVERSATION))),
    Way("getConversation", "no page", "malformed-page", after(HELLO, get(f"{CONVERSATION}?limit=101"))),
    Way(
        "getConversation", "a bad cursor", "malformed-page-cursor", after(HELLO, get(f"{CONVERSATION}?cursor={CANARY}"))
    ),
    Way("getConversation", "nothing there", "conversation-not-found", fresh(get(NO_CONVERSATION))),
    Way("getConversation", "no database", "storage-unavailable", without_database(get(NO_CONVERSATION))),
    Way("deleteConversation", "a conversation", None, after(HELLO, delete(CONVERSATION))),
    Way("deleteConversation", "a conversation that goes on", None, during(delete(CONVERSATION))),
    Way("deleteConversation", "nothing there", "conversation-not-found", fresh(delete(NO_CONVERSATION))),
    Way("deleteConversation", "no database", "storage-unavailable", without_database(delete(NO_CONVERSATION))),
    Way("getHealth", "at any time", None, fresh(get("/api/health"))),
    Way("getHealth", "without a database", None, without_database(get("/api/health"))),
    Way("getReadiness", "at most times", None, fresh(get("/api/ready"))),
    Way("getReadiness", "while draining", "draining", draining(get("/api/ready"))),
    Way("getReadiness", "without a database", "storage-unavailable", without_database(get("/api/ready"))),
    Way("streamChat", "a key that is revoked", None, revoked(chat(STALLED)), failed="access-ended"),
    Way("streamChat", "a key that is revoked, as JSON", "access-ended", revoked(chat(STALLED, accept=WHOLE))),
    Way("streamReply", "a key that is revoked", None, revoked(get(REPLY), resumes=True), failed="access-ended"),
    Way("streamReply", "as many streams as one may", "stream-limit-reached", during(get(REPLY), streams_per_client=1)),
    Way("streamChat", "as many streams as one may", "stream-limit-reached", during(HELLO, streams_per_client=1)),
    Way("streamChat", "a word too many", "word-limit-reached", after(chat("a b"), HELLO, words_per_day=2)),
    Way(None, "another host", "host-not-allowed", fresh(get("/api/health"), allowed_hosts=["chat.example"])),
    Way(None, "a path that is not there", "path-not-found", fresh(get(f"/{CANARY}"))),
    Way(None, "a method that is not there", "method-not-allowed", fresh(Request("PUT", "/api/chat"))),
    Way(None, "a handler with a defect", "internal", with_a_defect),
    Way(None, "something else than HTTP", "malformed-request", with_something_else_than_http),
]
