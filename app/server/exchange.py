"""One request and its answer on a connection: what an ASGI application receives, and how what it sends is framed.

Takes the place of the half of uvicorn's cycle that writes, which answers HTTP/1.0 in chunks and closes a connection
although its client still sends.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

_WITHOUT_BODY = {204, 304}
_LAST_CHUNK = b"\r\n0\r\n\r\n"
"""With the end of the one before it."""


class Exchange(RequestResponseCycle):
    """Calls `on_response` when the answer is complete; whether to close then, `keep_alive` says."""

    _left: int | None = None
    """How many bytes of an announced length are still to come."""
    _has_body = True

    def abandon(self) -> None:
        """The connection answers in the application's place: what that still sends goes nowhere."""
        self.disconnected = self.response_complete = True
        self.message_event.set()

    async def send(self, message: "ASGISendEvent") -> None:
        """ASGI's."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.body" and self.response_started and not self.response_complete:
            body = message.get("body", b"")
            is_last = not message.get("more_body", False)
            if not self.chunked_encoding:
                body = self._counted(body, is_last=is_last)
            elif body:
                body = b"%x\r\n%b%b" % (len(body), body, _LAST_CHUNK if is_last else b"\r\n")
            elif is_last:
                body = _LAST_CHUNK[2:]
            if body:
                self.transport.write(body)
            if is_last:
                self.response_complete = True
                self.message_event.set()
                self.on_response()
        elif message["type"] == "http.response.start" and not self.response_started:
            self._begin(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"{message['type']} is out of turn")

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        if self.waiting_for_100_continue and self.more_body:
            self.keep_alive = False  # nobody can tell if the client sends its body after all (RFC 9110, 10.1.1)
        self.waiting_for_100_continue = False
        lines = []
        for name, value in (*self.default_headers, *headers):
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection":
                self.keep_alive = self.keep_alive and value.lower() != b"close"
                continue
            lines.append(b"%b: %b\r\n" % (name, value))
        self._has_body = not (self.scope["method"] == "HEAD" or status in _WITHOUT_BODY)
        self.chunked_encoding = self._has_body and self._left is None and self.scope["http_version"] != "1.0"
        if self.chunked_encoding:
            lines.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        head = b"".join(lines)
        if not head.count(b"\n") == head.count(b"\r") == len(lines) or b"\0" in head:
            raise RuntimeError("there is a line break in a header")
        self.transport.write(b"%b%b\r\n" % (STATUS_LINE[status], head))

    def _counted(self, body: bytes, *, is_last: bool) -> bytes:
        """A piece of a body that is not cut into chunks, if it may be sent."""
        if not self._has_body:
            return b""
        if self._left is not None:  # else it ends with the connection
            self._left -= len(body)
            if self._left < 0 or (self._left and is_last):
                raise RuntimeError("the body is not as long as it was said to be")
        return body
