"""The table of the fifth law for operations without a message: how to provoke each of their problems."""

from tests.contract.asking import CANARY, NOBODY, Request, cancel, chat, delete, get, patch, put
from tests.contract.provocations import (
    Provocation,
    after,
    crashed,
    crashed_late,
    draining,
    during,
    elsewhere,
    fresh,
    revoked,
    slowly,
    with_a_defect,
    with_bytes,
    without_database,
)
from tests.contract.sending import CURSOR, HELLO, LATE
from tests.contract.way import Way

REPLY = "/api/replies/{reply_id}"
EVENTS = "/api/replies/{reply_id}/events"
CONVERSATIONS = "/api/conversations"
CONVERSATION = "/api/conversations/{conversation_id}"
NO_REPLY = f"/api/replies/{NOBODY}"
NO_EVENTS = f"/api/replies/{NOBODY}/events"
NO_CONVERSATION = f"/api/conversations/{NOBODY}"
RATING = '{"rating": "down", "note": "no"}'
RENAMED = '{"title": "hello"}'
METRICS_KEY = "metrics-key-of-this-test"


def scrape(authorization: str = "") -> Provocation:
    """Ask for the metrics of a service that has a key for them."""
    signed = {"Authorization": authorization} if authorization else {}
    return fresh(get("/metrics", **signed), metrics_key=METRICS_KEY)


STREAMS = [
    Way("streamReply", "a reply again", None, after(chat("hello there"), get(EVENTS))),
    Way("streamReply", "a reply from the store", None, after(chat("hello there"), get(EVENTS), restart=True)),
    Way("streamReply", "no word read", None, after(HELLO, get(EVENTS, Last_Event_ID="{reply_id}:0"))),
    Way("streamReply", "all read", None, after(HELLO, get(EVENTS, Last_Event_ID=CURSOR), restart=True), read=1),
    Way(
        "streamReply",
        "a word read, by the query",
        None,
        after(chat("a b"), get(f"{EVENTS}?lastEventId={CURSOR}")),
        read=1,
    ),
    Way("streamReply", "an empty cursor", None, after(HELLO, get(EVENTS, Last_Event_ID=""))),
    Way("streamReply", "what a crash has left", None, crashed_late(get(EVENTS)), failed="reply-interrupted"),
    Way("streamReply", "a late failure", None, after(LATE, get(EVENTS), restart=True), failed="bot-failed"),
    Way("streamReply", "a key that is revoked", None, revoked(get(EVENTS), resumes=True), failed="access-ended"),
    Way("streamReply", "no cursor", "malformed-cursor", after(HELLO, get(EVENTS, Last_Event_ID=CANARY))),
    Way("streamReply", "no cursor in the query", "malformed-cursor", after(HELLO, get(f"{EVENTS}?lastEventId=1"))),
    Way("streamReply", "another parameter", "unknown-parameter", after(HELLO, get(f"{EVENTS}?{CANARY}=1"))),
    Way(
        "streamReply",
        "another reply's cursor",
        "cursor-of-another-reply",
        after(HELLO, get(EVENTS, Last_Event_ID=f"{NOBODY}:1")),
    ),
    Way("streamReply", "a word not there", "cursor-ahead", after(HELLO, get(EVENTS, Last_Event_ID="{reply_id}:2"))),
    Way("streamReply", "a word to come", "cursor-ahead", during(get(EVENTS, Last_Event_ID="{reply_id}:3"))),
    Way(
        "streamReply",
        "a word that never was",
        "cursor-ahead",
        after(LATE, get(EVENTS, Last_Event_ID="{reply_id}:2"), restart=True),
    ),
    Way("streamReply", "nothing there", "reply-not-found", fresh(get(NO_EVENTS))),
    Way("streamReply", "JSON is wanted", "stream-only", after(HELLO, get(EVENTS, accept="application/json"))),
    Way("streamReply", "a word that was lost", "cursor-expired", crashed(get(EVENTS, Last_Event_ID="{reply_id}:2"))),
    Way("streamReply", "a refused message", "message-refused", after(chat("/simulate x\n"), get(EVENTS))),
    Way("streamReply", "a stored refusal", "message-refused", after(chat("/simulate x\n"), get(EVENTS), restart=True)),
    Way("streamReply", "a rate limit", "bot-rate-limited", after(chat("/simulate status=429\n"), get(EVENTS))),
    Way("streamReply", "no word before a crash", "reply-interrupted", crashed(get(EVENTS))),
    Way("streamReply", "a failure", "bot-failed", after(chat("/simulate status=502\n"), get(EVENTS), restart=True)),
    Way(
        "streamReply", "an outage", "bot-unavailable", after(chat("/simulate status=503\n"), get(EVENTS), restart=True)
    ),
    Way("streamReply", "no database", "storage-unavailable", without_database(get(NO_EVENTS))),
    Way("streamReply", "all streams taken", "too-many-streams", during(get(EVENTS), said=HELLO, max_open_streams=1)),
    Way("streamReply", "a silence", "bot-timeout", after(chat("/simulate status=504\n"), get(EVENTS), restart=True)),
    Way("streamReply", "as many streams as one may", "stream-limit-reached", during(get(EVENTS), streams_per_client=1)),
]

REPLIES = [
    Way("getReply", "a reply", None, after(HELLO, get(REPLY))),
    Way("getReply", "a reply from the store", None, after(HELLO, get(REPLY), restart=True)),
    Way("getReply", "a reply that runs", None, during(get(REPLY))),
    Way("getReply", "a reply that runs elsewhere", None, elsewhere(get(REPLY))),
    Way("getReply", "a failure", None, after(chat("/simulate status=502\n"), get(REPLY))),
    Way("getReply", "a late failure", None, after(LATE, get(REPLY), restart=True)),
    Way("getReply", "no word before a crash", None, crashed(get(REPLY))),
    Way("getReply", "what a crash has left", None, crashed_late(get(REPLY))),
    Way("getReply", "nothing there", "reply-not-found", fresh(get(NO_REPLY))),
    Way("getReply", "a stream is wanted", "json-only", after(HELLO, get(REPLY, accept="text/event-stream"))),
    Way("getReply", "no database", "storage-unavailable", without_database(get(NO_REPLY))),
    Way("cancelReply", "a running reply", None, during(cancel())),
    Way("cancelReply", "a reply that is over", None, after(HELLO, cancel())),
    Way("cancelReply", "a reply that is long over", None, after(HELLO, cancel(), restart=True)),
    Way("cancelReply", "nothing there", "reply-not-found", fresh(cancel(NOBODY))),
    Way("cancelReply", "made elsewhere", "reply-elsewhere", elsewhere(cancel())),
    Way("cancelReply", "no database", "storage-unavailable", without_database(cancel(NOBODY))),
]

FEEDBACK = [
    Way("giveFeedback", "a rating", None, after(HELLO, put(f"{REPLY}/feedback", RATING))),
    Way("giveFeedback", "a rating of what goes on", None, during(put(f"{REPLY}/feedback", RATING))),
    Way("giveFeedback", "not JSON", "malformed-body", fresh(put(f"{NO_REPLY}/feedback", CANARY))),
    Way("giveFeedback", "nothing there", "reply-not-found", fresh(put(f"{NO_REPLY}/feedback", RATING))),
    Way("giveFeedback", "half a body", "body-too-slow", slowly(put(f"{NO_REPLY}/feedback", RATING))),
    Way("giveFeedback", "a long body", "body-too-large", fresh(put(f"{NO_REPLY}/feedback", RATING), max_body_bytes=9)),
    Way("giveFeedback", "no type", "unsupported-media-type", fresh(Request("PUT", f"{NO_REPLY}/feedback", {}, RATING))),
    Way("giveFeedback", "no rating", "invalid-body", fresh(put(f"{NO_REPLY}/feedback", f'{{"rating": "{CANARY}"}}'))),
    Way("giveFeedback", "no database", "storage-unavailable", without_database(put(f"{NO_REPLY}/feedback", RATING))),
    Way("withdrawFeedback", "none", None, after(HELLO, delete(f"{REPLY}/feedback"))),
    Way("withdrawFeedback", "nothing there", "reply-not-found", fresh(delete(f"{NO_REPLY}/feedback"))),
    Way("withdrawFeedback", "no database", "storage-unavailable", without_database(delete(f"{NO_REPLY}/feedback"))),
]

STORED = [
    Way("listConversations", "none", None, fresh(get(CONVERSATIONS))),
    Way("listConversations", "some", None, after(HELLO, get(f"{CONVERSATIONS}?limit=100"))),
    Way("listConversations", "a page of nothing", None, after(HELLO, get(f"{CONVERSATIONS}?cursor=0-{NOBODY}"))),
    Way("listConversations", "no page", "malformed-page", fresh(get(f"{CONVERSATIONS}?limit=0"))),
    Way("listConversations", "a bad cursor", "malformed-page-cursor", fresh(get(f"{CONVERSATIONS}?cursor={CANARY}"))),
    Way("listConversations", "some words", None, after(HELLO, get(f"{CONVERSATIONS}?search=hel+l%C3%B6"))),
    Way("listConversations", "no word", None, after(HELLO, get(f"{CONVERSATIONS}?search=%20!"))),
    Way("listConversations", "nothing to look for", "malformed-page", fresh(get(f"{CONVERSATIONS}?search="))),
    Way("listConversations", "no UTF-8 to look for", "malformed-page", fresh(get(f"{CONVERSATIONS}?search=%FF"))),
    Way("listConversations", "another parameter", "unknown-parameter", fresh(get(f"{CONVERSATIONS}?order=asc"))),
    Way("listConversations", "no database", "storage-unavailable", without_database(get(CONVERSATIONS))),
    Way("getConversation", "a conversation", None, after(HELLO, get(CONVERSATION))),
    Way("getConversation", "its end", None, after(HELLO, get(f"{CONVERSATION}?order=desc&limit=1"))),
    Way("getConversation", "nothing behind its end", None, after(HELLO, get(f"{CONVERSATION}?cursor=999999999"))),
    Way("getConversation", "a conversation that goes on", None, during(get(CONVERSATION))),
    Way("getConversation", "after a crash", None, crashed_late(get(CONVERSATION))),
    Way("getConversation", "after a failure", None, after(chat("/simulate status=502\n"), get(CONVERSATION))),
    Way("getConversation", "no page", "malformed-page", after(HELLO, get(f"{CONVERSATION}?limit=101"))),
    Way("getConversation", "no order", "malformed-page", after(HELLO, get(f"{CONVERSATION}?order={CANARY}"))),
    Way(
        "getConversation", "a bad cursor", "malformed-page-cursor", after(HELLO, get(f"{CONVERSATION}?cursor={CANARY}"))
    ),
    Way("getConversation", "another parameter", "unknown-parameter", after(HELLO, get(f"{CONVERSATION}?{CANARY}"))),
    Way("getConversation", "nothing there", "conversation-not-found", fresh(get(NO_CONVERSATION))),
    Way("getConversation", "no database", "storage-unavailable", without_database(get(NO_CONVERSATION))),
    Way("getConversation", "a branch", None, after(HELLO, get(f"{CONVERSATION}?branch={{reply_id}}"))),
    Way("getConversation", "no branch", "malformed-page", after(HELLO, get(f"{CONVERSATION}?branch={CANARY}"))),
    Way("getConversation", "another branch", "reply-not-found", after(HELLO, get(f"{CONVERSATION}?branch={NOBODY}"))),
    Way("exportConversation", "a conversation", None, after(LATE, get(f"{CONVERSATION}/export"))),
    Way("exportConversation", "a conversation that goes on", None, during(get(f"{CONVERSATION}/export"))),
    Way("exportConversation", "nothing there", "conversation-not-found", fresh(get(f"{NO_CONVERSATION}/export"))),
    Way("exportConversation", "no database", "storage-unavailable", without_database(get(f"{NO_CONVERSATION}/export"))),
    Way("exportConversationAsMarkdown", "a conversation", None, after(HELLO, get(f"{CONVERSATION}/markdown"))),
    Way(
        "exportConversationAsMarkdown",
        "nothing there",
        "conversation-not-found",
        fresh(get(f"{NO_CONVERSATION}/markdown")),
    ),
    Way(
        "exportConversationAsMarkdown",
        "no database",
        "storage-unavailable",
        without_database(get(f"{NO_CONVERSATION}/markdown")),
    ),
    Way("updateConversation", "a title", None, after(HELLO, patch(CONVERSATION, RENAMED))),
    Way("updateConversation", "a branch", None, after(HELLO, patch(CONVERSATION, '{"branch": "{reply_id}"}'))),
    Way("updateConversation", "a branch while a reply runs", None, during(patch(CONVERSATION, RENAMED))),
    Way("updateConversation", "not JSON", "malformed-body", fresh(patch(NO_CONVERSATION, CANARY))),
    Way("updateConversation", "nothing there", "conversation-not-found", fresh(patch(NO_CONVERSATION, RENAMED))),
    Way(
        "updateConversation",
        "no such branch",
        "reply-not-found",
        after(HELLO, patch(CONVERSATION, f'{{"branch": "{NOBODY}"}}')),
    ),
    Way("updateConversation", "half a body", "body-too-slow", slowly(patch(NO_CONVERSATION, RENAMED))),
    Way(
        "updateConversation", "a long body", "body-too-large", fresh(patch(NO_CONVERSATION, RENAMED), max_body_bytes=9)
    ),
    Way(
        "updateConversation",
        "no type",
        "unsupported-media-type",
        fresh(Request("PATCH", NO_CONVERSATION, content=RENAMED)),
    ),
    Way("updateConversation", "no change", "invalid-body", fresh(patch(NO_CONVERSATION, "{}"))),
    Way("updateConversation", "no database", "storage-unavailable", without_database(patch(NO_CONVERSATION, RENAMED))),
    Way("deleteConversations", "none", None, fresh(delete(CONVERSATIONS))),
    Way("deleteConversations", "some, one of which goes on", None, during(delete(CONVERSATIONS), said=HELLO)),
    Way("deleteConversations", "a filter", "unknown-parameter", fresh(delete(f"{CONVERSATIONS}?search={CANARY}"))),
    Way("deleteConversations", "no database", "storage-unavailable", without_database(delete(CONVERSATIONS))),
    Way("deleteConversation", "a conversation", None, after(HELLO, delete(CONVERSATION))),
    Way("deleteConversation", "a conversation that goes on", None, during(delete(CONVERSATION))),
    Way("deleteConversation", "nothing there", "conversation-not-found", fresh(delete(NO_CONVERSATION))),
    Way("deleteConversation", "no database", "storage-unavailable", without_database(delete(NO_CONVERSATION))),
]

OTHERS = [
    Way("getService", "at any time", None, fresh(get("/api/service"))),
    Way("getService", "with a model", None, fresh(get("/api/service"), openai_model="some-model")),
    Way("getHealth", "at any time", None, fresh(get("/api/health"))),
    Way("getHealth", "without a database", None, without_database(get("/api/health"))),
    Way("getReadiness", "at most times", None, fresh(get("/api/ready"))),
    Way("getReadiness", "while draining", "draining", draining(get("/api/ready"))),
    Way("getReadiness", "without a database", "storage-unavailable", without_database(get("/api/ready"))),
    Way("getMetrics", "at any time", None, fresh(get("/metrics"))),
    Way("getMetrics", "in the other format", None, fresh(get("/metrics", Accept="application/openmetrics-text"))),
    Way("getMetrics", "with a key for it", None, scrape(f"Bearer {METRICS_KEY}")),
    Way("getMetrics", "without that key", "credentials-missing", scrape()),
    Way("getMetrics", "with another key", "invalid-token", scrape(f"Bearer {CANARY}")),
    Way("getMetrics", "where anybody may come", "credentials-missing", fresh(get("/metrics"), allow_anyone=True)),
    Way("getMetrics", "where nothing is counted", "path-not-found", fresh(get("/metrics"), metrics=False)),
    Way(None, "another host", "host-not-allowed", fresh(get("/api/conversations"), allowed_hosts=["chat.example"])),
    Way(None, "a path that is not there", "path-not-found", fresh(get(f"/{CANARY}"))),
    Way(None, "a method that is not there", "method-not-allowed", fresh(Request("PUT", "/api/chat"))),
    Way(None, "a handler with a defect", "internal", with_a_defect()),
    Way(None, "something else than HTTP", "malformed-request", with_bytes(CANARY.encode())),
    Way(None, "a long address", "target-too-long", with_bytes(b"GET /" + CANARY.encode() * 8_000)),
    Way(None, "a large head", "head-too-large", with_bytes(b"GET / HTTP/1.1\r\nX: " + CANARY.encode() * 80_000)),
    Way(
        None,
        "a compressed transfer",
        "transfer-coding-not-implemented",
        with_bytes(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
    ),
    Way(None, "another HTTP", "http-version-not-supported", with_bytes(b"GET / HTTP/3.0\r\nHost: localhost")),
]

READING = [*STREAMS, *REPLIES, *FEEDBACK, *STORED, *OTHERS]
