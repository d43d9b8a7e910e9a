"""Every request with which another principal could try to access a reply or conversation, given the ids."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.support.addresses import CHAT, WHOLE, cancel_of, conversation_at, events_of, reply_at


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of a reply and its conversation."""

    reply: str
    conversation: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] | None = None


def read(ids: Ids, **headers: str) -> Request:
    """The events of the reply; `Last_Event_ID="x"` is a header."""
    return Request("GET", events_of(ids.reply), _named(headers))


def ask(
    message: str, conversation_id: str | None = None, key: str | None = None, path: str = CHAT, **headers: str
) -> Request:
    """A message, in a new or an existing conversation, optionally with an idempotency key."""
    place = {} if conversation_id is None else {"conversation_id": conversation_id}
    keyed = {} if key is None else {"Idempotency-Key": key}
    return Request("POST", path, _named(headers) | keyed, {"user_message": message} | place)


def cancelled(ids: Ids) -> Request:
    """Stop the reply."""
    return Request("POST", cancel_of(ids.reply))


def deleted(ids: Ids) -> Request:
    """Delete the conversation."""
    return Request("DELETE", conversation_at(ids.conversation))


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


WAYS: Mapping[str, Callable[[Ids, int], Request]] = {
    "read": lambda ids, _: read(ids),
    "read the heads": lambda ids, _: Request("HEAD", events_of(ids.reply)),
    "read as JSON": lambda ids, _: Request("GET", reply_at(ids.reply)),
    "read the head of the JSON": lambda ids, _: Request("HEAD", reply_at(ids.reply)),
    "read from the start": lambda ids, _: read(ids, Last_Event_ID=""),
    "resume": lambda ids, word: read(ids, Last_Event_ID=f"{ids.reply}:{word}"),
    "resume by the query": lambda ids, word: Request("GET", f"{events_of(ids.reply)}?lastEventId={ids.reply}:{word}"),
    "resume by asking": lambda ids, word: ask("go on", Last_Event_ID=f"{ids.reply}:{word}"),
    "resume by asking, with a key": lambda ids, word: ask("go on", Last_Event_ID=f"{ids.reply}:{word}", key="stranger"),
    "resume and go on": lambda ids, word: ask("go on", ids.conversation, Last_Event_ID=f"{ids.reply}:{word}"),
    "cancel": lambda ids, _: cancelled(ids),
    "open": lambda ids, _: Request("GET", conversation_at(ids.conversation)),
    "open its head": lambda ids, _: Request("HEAD", conversation_at(ids.conversation)),
    "open a page": lambda ids, word: Request("GET", f"{conversation_at(ids.conversation)}?limit=1&cursor={word}"),
    "open its end": lambda ids, _: Request("GET", f"{conversation_at(ids.conversation)}?order=desc"),
    "go on": lambda ids, _: ask("go on", ids.conversation),
    "go on as JSON": lambda ids, _: ask("go on", ids.conversation, path=WHOLE),
    "go on with a key": lambda ids, _: ask("go on", ids.conversation, key="stranger"),
    "open a branch": lambda ids, _: Request("GET", f"{conversation_at(ids.conversation)}?branch={ids.reply}"),
    "edit": lambda ids, _: Request("POST", CHAT, body={"user_message": "hi", "edits": ids.reply}),
    "edit as JSON": lambda ids, _: Request("POST", WHOLE, body={"user_message": "hi", "edits": ids.reply}),
    "regenerate": lambda ids, _: Request("POST", CHAT, body={"regenerates": ids.reply}),
    "regenerate there": lambda ids, _: Request(
        "POST", WHOLE, body={"regenerates": ids.reply, "conversation_id": ids.conversation}
    ),
    "rename": lambda ids, _: Request("PATCH", conversation_at(ids.conversation), body={"title": "mine"}),
    "choose": lambda ids, _: Request("PATCH", conversation_at(ids.conversation), body={"branch": ids.reply}),
    "rate": lambda ids, _: Request("PUT", f"{reply_at(ids.reply)}/feedback", body={"rating": "up"}),
    "withdraw a rating": lambda ids, _: Request("DELETE", f"{reply_at(ids.reply)}/feedback"),
    "export": lambda ids, _: Request("GET", f"{conversation_at(ids.conversation)}/export"),
    "export as Markdown": lambda ids, _: Request("GET", f"{conversation_at(ids.conversation)}/markdown"),
    "delete": lambda ids, _: deleted(ids),
    "take one for the other": lambda ids, _: Request("GET", reply_at(ids.conversation)),
    "take the other for one": lambda ids, _: Request("GET", conversation_at(ids.reply)),
}
