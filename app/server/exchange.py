"""One request and its answer on a connection: what an ASGI application receives, and how what it sends is framed.

Takes the place of the half of uvicorn's cycle that writes, which answers HTTP/1.0 in chunks and closes a connection
although its client still sends.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

_WITHOUT_BODY = {204, 304}


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
        if message["type"] == "http.response.start" and not self.response_started:
            self._begin(message["status"], message.get("headers", ()))
        elif message["type"] == "http.response.body" and self.response_started and not self.response_complete:
            self._go_on(message.get("body", b""), more_body=message.get("more_body", False))
        else:
            raise RuntimeError(f"{message['type']} is out of turn")

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        if self.waiting_for_100_continue and self.more_body:
            self.keep_alive = False  # nobody can tell if the client sends its body after all (RFC 9110, 10.1.1)
        self.waiting_for_100_continue = False
        head = [STATUS_LINE[status]]
        for name, value in (*self.default_headers, *headers):
            if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
                raise RuntimeError("a header is not one")
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection":
                self.keep_alive = self.keep_alive and value.lower() != b"close"
                continue
            head += (name, b": ", value, b"\r\n")
        self._has_body = not (self.scope["method"] == "HEAD" or status in _WITHOUT_BODY)
        self.chunked_encoding = self._has_body and self._left is None and self.scope["http_version"] != "1.0"
        if self.chunked_encoding:
            head.append(b"transfer-encoding: chunked\r\n")
        head.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        self.transport.write(b"".join(head))

    def _go_on(self, body: bytes, *, more_body: bool) -> None:
        if not self._has_body:
            pass
        elif self.chunked_encoding:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more_body:
                chunk += b"0\r\n\r\n"
            if chunk:
                self.transport.write(chunk)
        else:
            self._count(len(body), more_body=more_body)
            self.transport.write(body)
        if not more_body:
            self.response_complete = True
            self.message_event.set()
            self.on_response()

    def _count(self, size: int, *, more_body: bool) -> None:
        if self._left is None:  # it ends with the connection
            return
        self._left -= size
        if self._left < 0 or (self._left and not more_body):
            raise RuntimeError("the body is not as long as it was said to be")
