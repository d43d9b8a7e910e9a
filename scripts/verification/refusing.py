"""The laws of refusals: errors are problems with the status that is documented; strangers are told nothing."""

# ruff: noqa: PLR2004 - a status is best known by its number

from tests.contract.asking import NOBODY, Request, body, chat, delete, get
from tests.contract.document import DOCUMENT, PLACES, PROBLEMS
from tests.support.asgi import Whole
from tests.support.strangers import WAYS, Ids
from tests.support.strangers import Request as Way

from .findings import Broken, Unseen
from .streams import hear
from .target import NOBODY as NO_KEY
from .target import OTHER, WRONG, refused, shown
from .visit import Visit

_REFUSED: list[tuple[Request, str]] = [
    (get("/api/nothing-is-here"), "path-not-found"),
    (
        Request("POST", "/api/chat/", {"content-type": "application/json"}, '{"user_message": "hello"}'),
        "path-not-found",
    ),
    (get("/api/chat"), "method-not-allowed"),
    (chat("hello", accept="text/html"), "not-acceptable"),
    (body("user_message=hello", "application/x-www-form-urlencoded"), "unsupported-media-type"),
    (body('{"user_message": "hello"'), "malformed-body"),
    (body('{"user_message": NaN}'), "malformed-body"),
    (body("{}"), "invalid-body"),
    (body('{"user_message": 1}'), "invalid-body"),
    (body('{"user_message": " \\n "}'), "invalid-body"),
    (body('{"user_message": "hello", "surprise": true}'), "invalid-body"),
    (chat("hello", NOBODY), "conversation-not-found"),
    (chat("hello", last_event_id="1"), "malformed-cursor"),
    (chat("hello", last_event_id=f"{NOBODY}:1"), "reply-not-found"),
    (chat("hello", idempotency_key="a b"), "malformed-idempotency-key"),
    (get(f"/api/replies/{NOBODY}"), "reply-not-found"),
    (delete(f"/api/replies/{NOBODY}"), "reply-not-found"),
    (get(f"/api/conversations/{NOBODY}"), "conversation-not-found"),
    (delete(f"/api/conversations/{NOBODY}"), "conversation-not-found"),
    (get("/api/conversations?limit=0"), "malformed-page"),
]


async def statuses(visit: Visit) -> None:
    """Ask for what the contract refuses, in every way that takes no message."""
    visit.finding.unit = "requests"
    for request, code in _REFUSED:
        problem = PROBLEMS[code]
        answer = await visit.target.ask(request)
        visit.finding.tried += 1
        if answer.status < 400 or answer.json()["type"] != problem["type"]:
            raise refused(request, answer, f"{problem['status']} {problem['type']}")
        if code == "method-not-allowed" and answer.headers.get("allow") != "POST":
            raise Broken(shown(request), f"Allow: {answer.headers.get('allow')}", "405 has Allow: POST")


async def access(visit: Visit) -> None:
    """Ask without the key, and with a wrong one."""
    visit.finding.unit = "requests"
    if not visit.target.place.key:
        raise Unseen("no key was given, so anybody may be answered. If there should be keys: --key")
    for who, code in ((NO_KEY, "credentials-missing"), (WRONG, "invalid-token")):
        for request in sorted(_guarded(), key=lambda request: request.method != "GET"):
            answer = await visit.target.ask(request, who)
            visit.finding.tried += 1
            asked = f"{shown(request)}, {'without a key' if who == NO_KEY else 'with a wrong key'}"
            if answer.status != 401 or answer.json()["type"] != f"urn:problem:{code}":
                contract = f"where there are keys, 401 urn:problem:{code}. If there should be none: leave --key out"
                raise Broken(asked, f"status {answer.status}: {answer.content[:200]!r}", contract)
            if not answer.headers.get("www-authenticate", "").startswith("Bearer "):
                raise Broken(asked, "401 without WWW-Authenticate: Bearer", "401 has WWW-Authenticate (RFC 6750)")


def _guarded() -> list[Request]:
    names = [
        name for name, (method, path) in PLACES.items() if DOCUMENT["paths"][path][method.lower()].get("security") != []
    ]
    places = [PLACES[name] for name in names if PLACES[name][1].startswith("/api/")]
    paths = [(method, path.format(reply_id=NOBODY, conversation_id=NOBODY)) for method, path in places]
    paths.sort(key=lambda place: (place[0] != "GET", place[1]))  # what changes things comes last
    return [chat("hello") if method == "POST" else Request(method, path) for method, path in paths]


async def isolation(visit: Visit) -> None:
    """Let the owner of another key try every way to get at a reply and a conversation."""
    visit.finding.unit = "ways"
    if not visit.target.place.other_key:
        raise Unseen("it takes a second key, of another name: --other-key")
    heard = await hear(visit.target, chat("hello"))
    theirs, none = Ids(heard.reply_id, heard.conversation_id), Ids("1" * 32, "2" * 32)
    for name, way in WAYS.items():
        asked = _request(way(theirs, 1))
        answers = [_told(await visit.target.ask(request, OTHER)) for request in (asked, _request(way(none, 1)))]
        visit.finding.tried += 1
        if answers[0] != answers[1] or answers[0][0] != 404:
            came = f"({name}) {answers[0]}, and {answers[1]} where there is nothing"
            contract = "what is another's is not found, as if it were not there (are the keys of two names?)"
            raise Broken(f"{shown(asked)}, with the other key", came[:600], contract)
    await hear(visit.target, get(f"/api/replies/{heard.reply_id}"), "nobody else can cancel or delete it")


def _request(way: Way) -> Request:
    headers = {name.lower(): value for name, value in way.headers.items()}
    if way.body is None:
        return Request(way.method, way.path, headers)
    asked = chat(way.body["user_message"], way.body.get("conversation_id", ""))
    return Request(asked.method, asked.path, {**asked.headers, **headers}, asked.content)


def _told(answer: Whole) -> tuple[int, str, bytes]:
    """What a stranger can tell from it. Headers such as Date and RateLimit differ for other reasons."""
    return answer.status, answer.headers.get("content-type", ""), answer.content[:300]
