"""Requests and responses as values, independent of connections."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

NOTHING = "0" * 32
"""An id that does not exist."""
_JSON = {"content-type": "application/json"}
_SHOWN = {"accept", "content-type", "idempotency-key", "last-event-id", "origin", "sec-fetch-site"}
_LONG = 300


@dataclass(frozen=True, slots=True)
class Request:
    """A request without credentials."""

    method: str
    path: str
    """Below the deployment's address."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""
    content: str = ""

    def plus(self, **headers: str) -> "Request":
        """The request with more headers: `last_event_id="x"` is `Last-Event-ID: x`."""
        return replace(self, headers={**self.headers, **_named(headers)})


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    content: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON has no narrower type
        """The body, parsed. Raises `ValueError`, also for `NaN` and `Infinity`, which are not JSON."""
        return json.loads(self.content, parse_constant=_not_json)


def shown(request: Request) -> str:
    """A request on one line, without secrets."""
    headers = [f"{name}: {value}" for name, value in request.headers.items() if name.lower() in _SHOWN]
    content = request.content if len(request.content) < _LONG else f"{request.content[:_LONG]}..."
    return " ".join([request.method, request.path, *(f"[{header}]" for header in headers), content]).rstrip()


def get(path: str, **headers: str) -> Request:
    return Request("GET", path, _named(headers))


def delete(path: str) -> Request:
    return Request("DELETE", path)


def chat(text: str, conversation_id: str = "", **headers: str) -> Request:
    """`streamChat`: a message whose reply is streamed."""
    body = {"user_message": text} | ({"conversation_id": conversation_id} if conversation_id else {})
    return Request("POST", "/api/chat", _JSON | _named(headers), json.dumps(body))


def whole_reply(text: str, conversation_id: str = "", **headers: str) -> Request:
    """`createReply`: a message whose reply is returned as JSON."""
    return replace(chat(text, conversation_id, **headers), path="/api/replies")


def events(reply_id: str, **headers: str) -> Request:
    """`streamReply`."""
    return get(f"/api/replies/{reply_id}/events", **headers)


def cancelled(reply_id: str) -> Request:
    """`cancelReply`."""
    return Request("POST", f"/api/replies/{reply_id}/cancel")


def body(content: str, content_type: str = _JSON["content-type"]) -> Request:
    """`streamChat` with any body."""
    return Request("POST", "/api/chat", {"content-type": content_type}, content)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
