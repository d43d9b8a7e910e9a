"""Requests as values, which tests send later."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.contract.wire import request
from tests.support.agui import AG_UI, agui_asked, rejoined_at, users
from tests.support.ui import UI, ui_asked, user

CANARY = "cAnArY7f3"
"""What no response may repeat."""
NOBODY = "0" * 32
"""An id that does not exist."""
STREAMED = "/api/chat"
FINISHED = "/api/replies"
"""The operations that reply to a message as a stream and as JSON."""
COMPLETED = "/v1/chat/completions"
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request. In braces, `{reply_id}` and `{conversation_id}` stand for ids of the situation."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: str = ""

    def of(self, ids: Mapping[str, str]) -> "Request":
        """The request, with ids."""

        def fill(text: str) -> str:
            for name, value in ids.items():
                text = text.replace(f"{{{name}}}", value)
            return text

        headers = {name: fill(value) for name, value in self.headers.items()}
        return Request(self.method, fill(self.path), headers, fill(self.content))

    def plus(self, **headers: str) -> "Request":
        """The request with more headers; `last_event_id="1"` is `Last-Event-ID: 1`."""
        return replace(self, headers={**self.headers, **_named(headers)})

    def finished(self) -> "Request":
        """The same message to `createReply`."""
        return replace(self, path=FINISHED)

    def unstreamed(self) -> "Request":
        """The same request to `createChatCompletion` without `stream`."""
        return replace(self, content=self.content.replace(', "stream": true', ""))

    def head(self) -> "Request":
        """The same request as HEAD."""
        return replace(self, method="HEAD")

    def raw(self) -> bytes:
        """The request's bytes."""
        lines = [f"{name}: {value}" for name, value in self.headers.items()]
        return request(self.method, self.path, lines, self.content.encode() if self.content else None)


def get(path: str, **headers: str) -> Request:
    """Headers as in `Request.plus`."""
    return Request("GET", path, _named(headers))


def delete(path: str) -> Request:
    """Without headers."""
    return Request("DELETE", path)


def patch(path: str, content: str) -> Request:
    """A request with a body of JSON."""
    return Request("PATCH", path, _JSON, content)


def put(path: str, content: str) -> Request:
    """A request with a body of JSON."""
    return Request("PUT", path, _JSON, content)


def cancel(reply_id: str = "{reply_id}") -> Request:
    """A request to cancel the reply."""
    return Request("POST", f"/api/replies/{reply_id}/cancel")


def chat(text: str, conversation_id: str = "", **headers: str) -> Request:
    """A message."""
    body = {"user_message": text} | ({"conversation_id": conversation_id} if conversation_id else {})
    return Request("POST", STREAMED, _JSON | _named(headers), json.dumps(body))


def completion(text: str, **headers: str) -> Request:
    """The same message to `createChatCompletion`, as a stream."""
    asked = {"messages": [{"role": "user", "content": text}], "stream": True}
    return completion_body(json.dumps(asked), **headers)


def completion_body(content: str, content_type: str = _JSON["content-type"], **headers: str) -> Request:
    """Any body to `createChatCompletion`."""
    return Request("POST", COMPLETED, {"content-type": content_type} | _named(headers), content)


def ui(text: str) -> Request:
    """The same message to `streamUiChat`."""
    return ui_body(json.dumps(ui_asked(user(text))))


def ui_body(content: str, content_type: str = _JSON["content-type"]) -> Request:
    """Any body to `streamUiChat`."""
    return Request("POST", UI, {"content-type": content_type}, content)


def run(text: str, **headers: str) -> Request:
    """The same message to `runAgent`."""
    return run_body(json.dumps(agui_asked(users(text))), **headers)


def rejoin(run_id: str, **headers: str) -> Request:
    """A run again."""
    return get(rejoined_at(run_id), **headers)


def run_body(content: str, content_type: str = _JSON["content-type"], **headers: str) -> Request:
    """Any body to `runAgent`."""
    return Request("POST", AG_UI, {"content-type": content_type} | _named(headers), content)


def branch(way: str, reply_id: str = "{reply_id}", **fields: str) -> Request:
    """A message beside another one, or a reply beside another one."""
    return Request("POST", STREAMED, _JSON, json.dumps({way: reply_id} | fields))


def body(content: str, content_type: str = _JSON["content-type"]) -> Request:
    """A request with any body."""
    return Request("POST", STREAMED, {"content-type": content_type}, content)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
