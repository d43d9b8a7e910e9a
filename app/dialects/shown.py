"""What a client shows of a stored conversation, in any protocol that sends all of it with each message.

Only the last message is new. Where it goes is told by the reply before it, which the client knows by our id.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from annotated_types import MaxLen
from pydantic import ValidationError

from app.chat.aliases import is_id
from app.chat.requests import Behind
from app.chat.white_space import WHITE_SPACE
from app.http.problems import RequestError
from generated.models import ChatRequest, FieldError

BETWEEN_PARTS = "\n"
"""What joins the parts of a message's text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message, and where it goes."""

    name: str
    """The conversation's id, or an alias."""
    message: str
    behind: Behind | None
    key: str | None
    """An idempotency key; `None` if it is asked for as often as it is sent."""
    key_within: str = ""
    """Where the key counts, if not everywhere."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message that the client shows."""

    message_id: str
    is_users: bool


def behind(shown: Sequence[Shown], message: str, *, is_new: bool) -> Behind | None:
    """Where a message goes that is the last one of those shown; `None` is behind the last one that is stored.

    Unanswered messages before it are stored, too, with what their replies came to, which the client does not show. If
    the message `is_new`, a client that shows nothing before may have forgotten it.
    """
    for earlier in reversed(shown[:-1]):
        if earlier.is_users:
            return None
        if is_id(earlier.message_id):
            return Behind(earlier.message_id, message)
    return None if is_new else Behind(None, message)


def refuse_parts(messages: object, name: str, types: Collection[str], detail: str) -> None:
    """Refuse parts of these types in the message that is answered, and in those behind it, which have no text.

    A message has its parts, or only a text, under this `name`. Raises `RequestError`.
    """
    for index, message in reversed([*enumerate(messages if isinstance(messages, list) else ())]):
        if not isinstance(message, dict) or message.get("role") != "user":
            continue
        content = message.get(name)
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        has_text = False
        for number, part in enumerate(parts):
            if isinstance(part, dict):
                kind, text = part.get("type"), part.get("text")
                if kind in types:
                    raise unsupported(f"/messages/{index}/{name}/{number}", detail)
                has_text = has_text or (kind == "text" and isinstance(text, str) and bool(text.strip(WHITE_SPACE)))
        if has_text:
            return  # this is what is answered


def no_message() -> RequestError:
    """Nothing is asked."""
    detail = "No message is a user's with text."
    return RequestError("invalid-body", errors=[FieldError(pointer="/messages", detail=detail)])


def unsupported(pointer: str, detail: str) -> RequestError:
    """The service does not do this."""
    return RequestError("unsupported-parameter", errors=[FieldError(pointer=pointer, detail=detail)])


def check_text(text: str, pointer: str, model: type[ChatRequest]) -> None:
    """Hold a message to what the `model` says of it. Raises `RequestError`."""
    try:
        model.model_validate({"user_message": text}, strict=True)
    except ValidationError:
        limit = f"It needs 1 to {_most(model):,} characters, at least one of them not white space, none of them NUL."
        raise RequestError("invalid-body", errors=[FieldError(pointer=pointer, detail=limit)]) from None


def _most(model: type[ChatRequest]) -> int:
    return next(bound.max_length for bound in model.model_fields["user_message"].metadata if isinstance(bound, MaxLen))
