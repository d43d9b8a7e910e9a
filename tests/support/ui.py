"""Parses a UI message stream strictly: `start text-start text-delta* (text-end finish | error) [DONE]`."""

import json
from dataclasses import dataclass
from typing import Any

from tests.support.closed import check_shape
from tests.support.data_only import data_of

UI = "/api/ui/chat"
"""`streamUiChat`."""

_HEAD = b'data: {"type":"'


@dataclass(frozen=True, slots=True)
class UiSaid:
    """A complete, valid stream."""

    message_id: str
    text: str
    reason: str | None
    """`None` if it failed."""
    error: str | None
    metadata: dict[str, Any]


def check_ui(raw: bytes) -> UiSaid:
    """Check a whole stream against the contract. Raises `AssertionError`."""
    assert raw.startswith(_HEAD + b'start"'), raw[:80]
    *chunks, done = data_of(raw)
    assert done == "[DONE]"
    for chunk in chunks:
        check_shape("UiChunk", chunk)
        assert ": null" not in chunk
    first, begin, *rest = map(json.loads, chunks)
    end = rest.pop()
    assert (first["type"], begin["type"]) == ("start", "text-start")
    if end["type"] == "finish":
        assert rest.pop()["type"] == "text-end"
        assert {**end["messageMetadata"], **first["messageMetadata"]} == end["messageMetadata"]
    else:
        assert end["type"] == "error"
    assert all(chunk["type"] == "text-delta" for chunk in rest)
    return UiSaid(
        first["messageId"],
        "".join(chunk["delta"] for chunk in rest),
        end.get("finishReason"),
        end.get("errorText"),
        end.get("messageMetadata", first["messageMetadata"]),
    )


def user(text: str, message_id: str = "u1") -> dict[str, Any]:
    """A user's message."""
    return {"id": message_id, "role": "user", "parts": [{"type": "text", "text": text}]}


def reply(message_id: str, text: str = "") -> dict[str, Any]:
    """A reply, as a client sends it back."""
    parts = [{"type": "step-start"}, {"type": "text", "text": text, "state": "done"}]
    return {"id": message_id, "role": "assistant", "parts": parts, "metadata": {"reply_id": message_id}}


def ui_asked(*messages: dict[str, Any], chat_id: str = "chat", **fields: object) -> dict[str, Any]:
    """The body of a request with these messages."""
    return {"id": chat_id, "messages": list(messages), "trigger": "submit-message"} | fields


def again_at(chat_id: str) -> str:
    """`resumeUiChat`."""
    return f"{UI}/{chat_id}/stream"
