"""The law of statuses: what the contract forbids is refused with the documented problem and status."""

# ruff: noqa: PLR2004 - a status is best known by its number

from chat_verify.contract import PROBLEMS
from chat_verify.exchange import NOTHING, Request, body, chat, delete, events, get, shown, whole_reply
from chat_verify.exchange import cancelled as cancel_request
from chat_verify.findings import Broken, HopAnswered
from chat_verify.target import refused
from chat_verify.visit import Visit

_REFUSED: list[tuple[Request, str]] = [
    (get("/api/nothing-is-here"), "path-not-found"),
    (
        Request("POST", "/api/chat/", {"content-type": "application/json"}, '{"user_message": "hello"}'),
        "path-not-found",
    ),
    (get("/api/chat"), "method-not-allowed"),
    (Request("TRACE", "/api/chat"), "method-not-allowed"),
    (chat("hello", accept="application/json"), "stream-only"),
    (whole_reply("hello", accept="text/event-stream"), "json-only"),
    (body("user_message=hello", "application/x-www-form-urlencoded"), "unsupported-media-type"),
    (body('{"user_message": "hello"'), "malformed-body"),
    (body('{"user_message": NaN}'), "malformed-body"),
    (body("{}"), "invalid-body"),
    (body('{"user_message": 1}'), "invalid-body"),
    (body('{"user_message": " \\n "}'), "invalid-body"),
    (body('{"user_message": "hello", "surprise": true}'), "invalid-body"),
    (chat("hello", NOTHING), "conversation-not-found"),
    (chat("hello", last_event_id="1"), "malformed-cursor"),
    (chat("hello", last_event_id=f"{NOTHING}:1"), "reply-not-found"),
    (chat("hello", idempotency_key="a b"), "malformed-idempotency-key"),
    (get(f"/api/replies/{NOTHING}"), "reply-not-found"),
    (events(NOTHING), "reply-not-found"),
    (events(NOTHING, last_event_id=f"{'1' * 32}:1"), "cursor-of-another-reply"),
    (cancel_request(NOTHING), "reply-not-found"),
    (get(f"/api/conversations/{NOTHING}"), "conversation-not-found"),
    (delete(f"/api/conversations/{NOTHING}"), "conversation-not-found"),
    (get("/api/conversations?limit=0"), "malformed-page"),
    (get("/api/conversations?surprise=1"), "unknown-parameter"),
    (get("/api/conversations?cursor=nowhere"), "malformed-page-cursor"),
]


async def statuses(visit: Visit) -> None:
    """Send every kind of invalid request that costs no reply."""
    visit.finding.unit = "requests"
    for request, code in _REFUSED:
        problem = PROBLEMS[code]
        try:
            answer = await visit.target.ask(request)
        except HopAnswered:
            continue  # it is in the report
        visit.finding.tried += 1
        if answer.status < 400 or answer.json()["type"] != problem["type"]:
            raise refused(request, answer, f"{problem['status']} {problem['type']}")
        if code == "method-not-allowed" and answer.headers.get("allow") != "POST":
            raise Broken(shown(request), f"Allow: {answer.headers.get('allow')}", "405 has Allow: POST")
