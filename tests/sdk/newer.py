"""`python -m tests.sdk.newer`: the service as a later version may be. It sends more than the contract defines.

Each object has an additional field, each stream an additional event before each of its own; each problem has a type and
each reply a finish reason that no contract has yet.
"""

import json
import sys
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs
from app.command import flagged_settings
from app.main import create_app
from app.serving import serve

NEWER = ("-m", "tests.sdk.newer")
"""`LiveServer(program=NEWER)`."""
PROBLEM = "urn:problem:of-next-year"
REASON = "of-next-year"

_EVENT = b'event: thought\ndata: {"text": "hm"}\n\n'


class Newer:
    """Adds to an application's responses."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` is the service."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with additions to responses."""
        await self._app(scope, receive, _Response(send).send if scope["type"] == "http" else send)


class _Response:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._kind = ""
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            self._kind = dict(message["headers"]).get(b"content-type", b"").partition(b";")[0].decode()
            if not self._kind.endswith("json"):
                await self._send(message)
        elif message["type"] != "http.response.body" or not (self._is_stream() or self._kind.endswith("json")):
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            await (self._pass_on_events(message) if self._is_stream() else self._pass_on_json(message))

    def _is_stream(self) -> bool:
        return self._kind == "text/event-stream"

    async def _pass_on_events(self, message: Message) -> None:
        *events, self._body = self._body.split(b"\n\n")
        if not message.get("more_body"):
            events, self._body = [*events, self._body] if self._body else events, b""
        body = b"".join(_EVENT + b"\n".join(map(_newer_line, event.split(b"\n"))) + b"\n\n" for event in events)
        await self._send({**message, "body": body})

    async def _pass_on_json(self, message: Message) -> None:
        if message.get("more_body"):
            return
        body = json.dumps(_newer(json.loads(self._body))).encode() if self._body else b""
        headers = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        await self._send({**self._start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        await self._send({**message, "body": body})


def _newer_line(line: bytes) -> bytes:
    return b"data: " + json.dumps(_newer(json.loads(line[6:]))).encode() if line.startswith(b'data: {"') else line


def _newer(node: Any) -> Any:  # noqa: ANN401 - as JSON has it
    match node:
        case list():
            return [_newer(item) for item in node]
        case dict():
            kinds = {"type": PROBLEM} if "retryable" in node else {}
            reasons = {"finish_reason": REASON} if "finish_reason" in node else {}
            return {key: _newer(value) for key, value in node.items()} | kinds | reasons | {"of_next_year": {"a": [1]}}
        case _:
            return node


def main() -> int:
    """Serve, with the flags that `python -m app` has."""
    settings = flagged_settings(sys.argv[1:])
    logs.configure(settings.log_level, settings.log_format)
    app = create_app(settings)
    app.add_middleware(Newer)
    return serve(settings, app)


if __name__ == "__main__":
    sys.exit(main())
