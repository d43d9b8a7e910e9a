"""What a stranger can send to get at another's reply or conversation: every way there is, for given ids."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ids:
    """Of a reply and its conversation."""

    reply: str
    conversation: str


@dataclass(frozen=True, slots=True)
class Request:
    """What to send."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] | None = None


def read(ids: Ids, **headers: str) -> Request:
    """The reply; `Last_Event_ID="x"` is a header."""
    return Request("GET", f"/api/replies/{ids.reply}", _named(headers))


def ask(message: str, conversation_id: str | None = None, key: str | None = None, **headers: str) -> Request:
    """A message, for a new conversation or for one that there is, perhaps with an idempotency key."""
    place = {} if conversation_id is None else {"conversation_id": conversation_id}
    keyed = {} if key is None else {"Idempotency-Key": key}
    return Request("POST", "/api/chat", _named(headers) | keyed, {"user_message": message} | place)


def deleted(path: str) -> Request:
    """Cancel or delete what is there."""
    return Request("DELETE", path)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _page_of(conversation_id: str, position: int) -> str:
    """The cursor that a page of that conversation gives to its owner."""
    return base64.urlsafe_b64encode(f"of:{position}:{conversation_id}".encode()).decode().rstrip("=")


WAYS: Mapping[str, Callable[[Ids, int], Request]] = {
    "read": lambda ids, _: read(ids),
    "read as JSON": lambda ids, _: read(ids, Accept="application/json"),
    "read from the start": lambda ids, _: read(ids, Last_Event_ID=""),
    "resume": lambda ids, word: read(ids, Last_Event_ID=f"{ids.reply}:{word}"),
    "resume as JSON": lambda ids, word: read(ids, Last_Event_ID=f"{ids.reply}:{word}", Accept="application/json"),
    "resume by asking": lambda ids, word: ask("go on", Last_Event_ID=f"{ids.reply}:{word}"),
    "resume by asking for JSON": lambda ids, word: ask(
        "go on", Last_Event_ID=f"{ids.reply}:{word}", Accept="application/json"
    ),
    "resume by asking, with a key": lambda ids, word: ask("go on", Last_Event_ID=f"{ids.reply}:{word}", key="stranger"),
    "resume and go on": lambda ids, word: ask("go on", ids.conversation, Last_Event_ID=f"{ids.reply}:{word}"),
    "cancel": lambda ids, _: deleted(f"/api/replies/{ids.reply}"),
    "open": lambda ids, _: Request("GET", f"/api/conversations/{ids.conversation}"),
    "open a page": lambda ids, word: Request(
        "GET", f"/api/conversations/{ids.conversation}?limit=1&cursor={_page_of(ids.conversation, word)}"
    ),
    "go on": lambda ids, _: ask("go on", ids.conversation),
    "go on as JSON": lambda ids, _: ask("go on", ids.conversation, Accept="application/json"),
    "go on with a key": lambda ids, _: ask("go on", ids.conversation, key="stranger"),
    "delete": lambda ids, _: deleted(f"/api/conversations/{ids.conversation}"),
    "take one for the other": lambda ids, _: Request("GET", f"/api/replies/{ids.conversation}"),
    "take the other for one": lambda ids, _: Request("GET", f"/api/conversations/{ids.reply}"),
}
