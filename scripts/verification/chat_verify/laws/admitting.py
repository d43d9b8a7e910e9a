"""The laws of access: where there are keys, nobody gets in without one, and nobody sees another's data."""

# ruff: noqa: PLR2004 - a status is best known by its number

from collections.abc import Callable, Mapping

from chat_verify.contract import GUARDED, PLACES, QUERIES
from chat_verify.exchange import NOTHING, Answer, Request, chat, delete, events, get, shown, whole_reply
from chat_verify.exchange import cancelled as cancel_request
from chat_verify.findings import Broken, Unseen
from chat_verify.streams import hear
from chat_verify.target import NOBODY, OTHER, WRONG
from chat_verify.visit import Visit

_WAYS: Mapping[str, Callable[[str, str], Request]] = {
    "read as JSON": lambda reply, _: get(f"/api/replies/{reply}"),
    "stream": lambda reply, _: events(reply),
    "stream from the start": lambda reply, _: events(reply, last_event_id=""),
    "resume": lambda reply, _: events(reply, last_event_id=f"{reply}:1"),
    "resume by a query parameter": lambda reply, _: get(f"/api/replies/{reply}/events?lastEventId={reply}%3A1"),
    "resume by asking": lambda reply, _: chat("go on", last_event_id=f"{reply}:1"),
    "resume by asking, with a key": lambda reply, _: chat("go on", last_event_id=f"{reply}:1", idempotency_key="other"),
    "resume in the conversation": lambda reply, conversation: chat("go on", conversation, last_event_id=f"{reply}:1"),
    "cancel": lambda reply, _: cancel_request(reply),
    "open": lambda _, conversation: get(f"/api/conversations/{conversation}"),
    "open a page": lambda _, conversation: get(f"/api/conversations/{conversation}?limit=1&cursor=1"),
    "open the end": lambda _, conversation: get(f"/api/conversations/{conversation}?order=desc"),
    "go on": lambda _, conversation: chat("go on", conversation),
    "go on as JSON": lambda _, conversation: whole_reply("go on", conversation),
    "go on with a key": lambda _, conversation: chat("go on", conversation, idempotency_key="other"),
    "delete": lambda _, conversation: delete(f"/api/conversations/{conversation}"),
    "take one for the other": lambda _, conversation: get(f"/api/replies/{conversation}"),
    "take the other for one": lambda reply, _: get(f"/api/conversations/{reply}"),
}
"""Every way to access a reply and its conversation, given their ids."""


async def access(visit: Visit) -> None:
    """Send requests without a key and with a wrong one."""
    visit.finding.unit = "requests"
    if not visit.target.place.key:
        raise Unseen("no key was given. Next: give one with --key, if the deployment has keys")
    for who, code in ((NOBODY, "credentials-missing"), (WRONG, "invalid-token")):
        for request in _guarded():
            answer = await visit.target.ask(request, who)
            visit.finding.tried += 1
            asked = f"{shown(request)}, {'without a key' if who == NOBODY else 'with a wrong key'}"
            is_refused = answer.status == 401
            if not is_refused or (request.method != "HEAD" and answer.json()["type"] != f"urn:problem:{code}"):
                contract = f"where there are keys, 401 urn:problem:{code}. Next: leave out --key, if there are no keys"
                raise Broken(asked, f"status {answer.status}: {answer.content[:200]!r}", contract)
            if not answer.headers.get("www-authenticate", "").startswith("Bearer "):
                raise Broken(asked, "401 without WWW-Authenticate: Bearer", "401 has WWW-Authenticate (RFC 6750)")


def _guarded() -> list[Request]:
    """A request for each operation that requires credentials; those that change something come last."""
    names = [name for name in GUARDED if PLACES[name][1].startswith("/api/")]
    names.sort(key=lambda name: (PLACES[name][0] not in {"GET", "HEAD"}, PLACES[name][1]))
    return [_request(name) for name in names]


def _request(operation_id: str) -> Request:
    method, path = PLACES[operation_id]
    if method == "POST" and "{" not in path:
        message = chat("hello")
        return Request(method, path, message.headers, message.content)
    query = QUERIES[operation_id]
    return Request(method, path.format(reply_id=NOTHING, conversation_id=NOTHING) + (query and f"?{query}"))


async def isolation(visit: Visit) -> None:
    """Try every way to access a reply and its conversation with another principal's key."""
    visit.finding.unit = "ways"
    if not visit.target.place.other_key:
        raise Unseen("it requires a second key, of another name. Next: give one with --other-key")
    heard = await hear(visit.target, chat("hello"))
    for name, way in _WAYS.items():
        asked = way(heard.reply_id, heard.conversation_id)
        answers = [_told(await visit.target.ask(request, OTHER)) for request in (asked, way("1" * 32, "2" * 32))]
        visit.finding.tried += 1
        if answers[0] != answers[1] or answers[0][0] != 404:
            came = f"({name}) {answers[0]}, and {answers[1]} where there is nothing"
            contract = "what is another's is not found, as if it did not exist (do the keys have different names?)"
            raise Broken(f"{shown(asked)}, with the other key", came[:600], contract)
    await hear(visit.target, events(heard.reply_id), "nobody else can cancel or delete it")


def _told(answer: Answer) -> tuple[int, str, bytes]:
    """What another principal can tell from the response. Headers such as Date and RateLimit may differ anyway."""
    return answer.status, answer.headers.get("content-type", ""), answer.content[:300]
