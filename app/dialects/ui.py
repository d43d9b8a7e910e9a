"""The AI SDK's UI message stream, on the way in: what `useChat` asks. The stream is in `app.dialects.ui_stream`."""

from typing import Any

from pydantic import MISSING

from app.chat.white_space import WHITE_SPACE
from app.dialects.shown import BETWEEN_PARTS, Asked, Shown, behind, check_text, no_message, refuse_parts
from generated.models import ChatRequest, UiChatRequest, UiMessage


def prepare(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Refuse files in what is sent. Raises `RequestError`."""
    messages = value.get("messages") if isinstance(value, dict) else None
    refuse_parts(messages, "parts", ("file",), "The service takes no files. Leave it out.")


def asked_in(body: UiChatRequest, model: type[ChatRequest]) -> Asked:
    """What a request asks; `model` bounds its message. Raises `RequestError`."""
    with_text = [
        index for index, each in enumerate(body.messages) if each.role == "user" and _text(each).strip(WHITE_SPACE)
    ]
    if not with_text:
        raise no_message()
    index = with_text[-1]
    last = body.messages[index]
    message = _text(last)
    check_text(message, f"/messages/{index}/parts", model)
    is_new = body.trigger != "regenerate-message" and body.message_id in (MISSING, None)
    shown = [
        Shown(_id(each) or "", each.role == "user") for each in body.messages[: index + 1] if each.role != "system"
    ]
    key = _id(last) if is_new else None  # what is edited or regenerated is asked for as often as it is sent
    return Asked(body.id, message, behind(shown, message, is_new=is_new), key and f"ui\0{body.id}\0{key}")


def _id(message: UiMessage) -> str | None:
    return None if message.id is MISSING else message.id or None


def _text(message: UiMessage) -> str:
    texts = [part.text for part in message.parts if part.type == "text" and part.text is not MISSING]
    return BETWEEN_PARTS.join(texts)
