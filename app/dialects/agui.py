"""AG-UI, on the way in: what a run asks, and what its client has of it. The stream is in `app.dialects.agui_stream`."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import MISSING
from starlette.types import Scope

from app.chat.requests import Behind
from app.chat.white_space import WHITE_SPACE
from app.dialects.shown import (
    BETWEEN_PARTS,
    Asked,
    Shown,
    behind,
    check_text,
    no_message,
    refuse_parts,
    unsupported,
)
from app.http.parameters import header
from app.http.problems import RequestError
from generated.models import AgUiMessage, AgUiRunRequest, ChatRequest

_TURNS = {"user", "assistant"}
_MEDIA = ("image", "audio", "video", "document", "binary")
"""Types of parts; `binary` is of versions before 1.0."""
_POSITION = re.compile(rb"([0-9a-f]{32}):(?:(start)|(0|[1-9][0-9]{0,9})(:end)?)")


@dataclass(frozen=True, slots=True)
class Position:
    """What a client has of a run, by the id of the last event: its beginning, and more."""

    reply_id: str
    words: int
    """How many words of the text."""
    has_text_start: bool
    has_text_end: bool


def position_in(scope: Scope) -> Position | None:
    """The position in `Last-Event-ID`. Empty counts as absent. Raises `RequestError` if it has another form."""
    value = header(scope, b"last-event-id")
    if not value:
        return None
    match = _POSITION.fullmatch(value)
    if match is None:
        raise RequestError("malformed-cursor")
    reply_id, start, words, end = match.groups()
    return Position(reply_id.decode(), int(words or 0), has_text_start=start is None, has_text_end=end is not None)


def prepare(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Refuse what the service does not do, unless a client sends it with every run. Raises `RequestError`."""
    if not isinstance(value, dict):
        return
    if value.get("resume") not in (None, []):
        raise unsupported("/resume", "The service interrupts no run, so there is nothing to answer. Leave it out.")
    refuse_parts(value.get("messages"), "content", _MEDIA, "The service takes text and nothing else. Leave it out.")


def asked_in(body: AgUiRunRequest, model: type[ChatRequest]) -> Asked:
    """What a run asks; `model` bounds its message. Raises `RequestError`."""
    turns = [(index, each) for index, each in enumerate(body.messages) if each.role in _TURNS]
    with_text = [
        number for number, (_, each) in enumerate(turns) if each.role == "user" and _text(each).strip(WHITE_SPACE)
    ]
    if not with_text:
        raise no_message()
    last = with_text[-1]
    index, message = turns[last][0], _text(turns[last][1])
    check_text(message, f"/messages/{index}/content", model)
    shown = [Shown(_id(each), each.role == "user") for _, each in turns[: last + 1]]
    is_new = all(each.role == "user" for _, each in turns[last + 1 :])
    place = behind(shown, message, is_new=is_new)
    if len(shown) == 1 and is_new:  # nothing tells a new message from the first one, which is answered anew
        place = Behind(None, message, if_alone=True)
    return Asked(body.thread_id, message, place, key_of(body.run_id), key_within=body.thread_id)


def key_of(run_id: str) -> str:
    """The idempotency key of a run, in its thread."""
    return f"ag-ui\0{run_id}"


def _id(message: AgUiMessage) -> str:
    return "" if message.id is MISSING else message.id or ""


def _text(message: AgUiMessage) -> str:
    match message.content:
        case str() as text:
            return text
        case list() as parts:
            return BETWEEN_PARTS.join(part.text for part in parts if part.type == "text" and part.text is not MISSING)
        case _:
            return ""
