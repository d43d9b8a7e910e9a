"""One request and its response on a connection: what an ASGI application receives, and how its messages are framed.

Replaces the writing half of uvicorn's cycle, which sends chunks to HTTP/1.0 clients and closes a connection while its
client is still sending.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

_WITHOUT_BODY = {204, 304}
_LAST_CHUNK = b"\r\n0\r\n\r\n"
"""With the CR LF that ends the chunk before it."""


class Exchange(RequestResponseCycle):
    """Calls `on_response` when the response is complete; `keep_alive` says whether to keep the connection open."""

    # In the object itself: an instance's dictionary takes twice the memory above thirty names, and each word would look
    # into it.
    __slots__ = ("_has_body", "_head", "_left", "_tell_gone", "_writable")

    def __init__(self, **what: Any) -> None:  # noqa: ANN401 - uvicorn's
        """As uvicorn's."""
        super().__init__(**what)
        self._head = b""  # until it leaves with the first piece of the body: one system call less
        self._left: int | None = None  # bytes of the announced `Content-Length` that are still to be sent
        self._has_body = True
        self._writable: asyncio.Transport | None = None  # the connection, while `write` may
        self._tell_gone: Callable[[], None] | None = None

    def abandon(self) -> None:
        """Drop whatever the application still sends: the connection responds instead."""
        self.response_complete = True
        self.lose()

    def lose(self) -> None:
        """The client has left, or gets another response."""
        self.disconnected = True
        self.look()
        self.message_event.set()
        tell_gone = self._tell_gone
        self._let_go()
        if tell_gone is not None:
            tell_gone()

    def whole_body(self) -> bytes | None:
        """See `app.http.immediate`."""
        if self.more_body or self.disconnected:
            return None
        self.flow.resume_reading()  # paused for a long body
        body, self.body = self.body, bytearray()
        return bytes(body)

    def when_gone(self, tell: Callable[[], None]) -> None:
        """See `app.http.immediate`."""
        if self.disconnected:
            tell()
        else:
            self._tell_gone = tell

    def cut_off(self) -> None:
        """See `app.http.immediate`."""
        self.abandon()
        if self._head:
            self.transport.write(self._head)
        self.transport.close()

    def write(self, body: bytes) -> bool:
        """See `app.http.immediate`."""
        connection = self._writable
        if connection is None:
            return False
        connection.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    def look(self) -> None:
        """See whether `write` may, after anything that it depends on has changed."""
        is_held_up = self._head or self.flow.write_paused or self.disconnected or self.response_complete
        self._writable = self.transport if self.chunked_encoding and not is_held_up else None

    async def send(self, message: "ASGISendEvent") -> None:
        """ASGI's `send`."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.body" and self.response_started and not self.response_complete:
            body = message.get("body", b"")
            is_last = not message.get("more_body", False)
            body = self._chunk(body, is_last) if self.chunked_encoding else self._counted(body, is_last)
            if self._head:
                body, self._head = self._head + body, b""
                self.look()
            if body:
                self.transport.write(body)
            if is_last:
                self._let_go()
                self.response_complete = True
                self.look()
                self.message_event.set()
                self.on_response()
        elif message["type"] == "http.response.start" and not self.response_started:
            self._begin(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"unexpected ASGI message {message['type']}")

    def _let_go(self) -> None:
        """Let go of the reply, and undo the cycle of references with the scope."""
        self._tell_gone = None
        self.scope.pop("extensions", None)

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        if self.waiting_for_100_continue and self.more_body:
            self.keep_alive = False  # the client may or may not send its body now (RFC 9110, 10.1.1)
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
        self._head = b"%b%b\r\n" % (STATUS_LINE[status], head)

    def _chunk(self, body: bytes, is_last: bool) -> bytes:  # noqa: FBT001 - called for each piece of a body
        """A piece of a body that is chunked; with the end of the body, if it is the last one."""
        if body:
            return b"%x\r\n%b%b" % (len(body), body, _LAST_CHUNK if is_last else b"\r\n")
        return _LAST_CHUNK[2:] if is_last else b""

    def _counted(self, body: bytes, is_last: bool) -> bytes:  # noqa: FBT001 - as above
        """A piece of a body that is not chunked, checked against the announced length; empty if none is allowed."""
        if not self._has_body:
            return b""
        if self._left is not None:  # else closing the connection ends it
            self._left -= len(body)
            if self._left < 0 or (self._left and is_last):
                raise RuntimeError("the body's length differs from Content-Length")
        return body
