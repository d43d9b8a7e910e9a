"""uvicorn's HTTP protocol, taught to bound what a client can hold without saying anything.

uvicorn has no deadline for a request's head and none for a client that takes no byte of its answer; either holds its
connection for ever.
"""

import asyncio
import secrets

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.http.origins import SECURITY

_MAX_HEAD_BYTES = 65_536

_BAD_REQUEST_HEAD = b"\r\n".join(
    [
        b"HTTP/1.1 400 Bad Request",
        b"content-type: application/problem+json",
        b"content-length: %d",
        b"cache-control: no-store",
        b"x-request-id: %b",
        *(b"%b: %b" % header for header in SECURITY),
        b"connection: close\r\n\r\n",
    ]
)

_OFFER = {b"upgrade", b"http2-settings"}


class BoundedProtocol(HttpToolsProtocol):
    """With a deadline and a bound for a request's head, and a deadline for a client that takes nothing."""

    head_seconds = 10.0
    stalled_seconds = 30.0
    bad_request = b""
    """The body of the answer to what is not HTTP."""

    _head_deadline: asyncio.TimerHandle | None = None
    _stall_deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _untaken = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the head, but not for ever."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Between two requests anything begins the next head: else a line feed now and then would hold a connection."""
        if self._head_deadline is None and self._is_idle():
            self._expect_head()
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._request_without_upgrade() + data[upgrade.args[0] :]
            except httptools.HttpParserError:
                self.logger.warning("Invalid HTTP request received.")
                self.send_400_response("")
                return
            else:
                break
        if self._head_deadline is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self.send_400_response("")

    def on_headers_complete(self) -> None:
        """The head is there; a body has its own deadline, in the application."""
        self._cancel_head_deadline()
        if not self._offers_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there; the parser sees none behind an offer."""
        if not self._offers_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Nothing will be written that would notice a client that does not take the rest, so that is watched."""
        super().on_response_complete()
        self._watch_for_a_stall()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._cancel_head_deadline()
        self._cancel_stall_deadline()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read as fast as the reply comes: the stream waits, but not for ever."""
        super().pause_writing()
        self._watch_for_a_stall()

    def resume_writing(self) -> None:
        """It reads again."""
        self._cancel_stall_deadline()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Answer what is not HTTP with a problem, as everything else.

        Behind a request that is being answered, hang up: two answers at once would be none.
        """
        if self._is_idle():
            head = _BAD_REQUEST_HEAD % (len(self.bad_request), secrets.token_hex(16).encode())
            self.transport.write(head + self.bad_request)
        self.transport.close()

    def _offers_upgrade(self) -> bool:
        """Whether the client would rather speak something else. To the parser, CONNECT is such an offer, too."""
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _request_without_upgrade(self) -> bytes:
        """The head of the present request, without its offer to speak HTTP/2 or anything else from now on.

        We may ignore it (RFC 9110, section 7.8), but httptools then takes the body for the other protocol, and uvicorn
        drops it. Java's HttpClient makes that offer by default, and so does `curl --http2`.
        """
        self.parser, parser = httptools.HttpRequestParser(self), self.parser
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        lines = [b"%b %b HTTP/%b" % (parser.get_method(), self.url, parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                options = [option for option in value.split(b",") if option.strip().lower() not in _OFFER]
                lines.append(b"connection: " + b",".join(options))
            elif name not in _OFFER:
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's own annotation keeps the None to itself
        return cycle is None or cycle.response_complete

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head_deadline = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _cancel_head_deadline(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _watch_for_a_stall(self) -> None:
        self._cancel_stall_deadline()
        self._untaken = self.transport.get_write_buffer_size()
        if self._untaken:
            self._stall_deadline = self.loop.call_later(self.stalled_seconds, self._end_a_stall)

    def _end_a_stall(self) -> None:
        """A slow client may be slow. One that has taken no byte since the last look is cut off."""
        if self.transport.get_write_buffer_size() >= self._untaken:
            self.transport.abort()
        else:
            self._watch_for_a_stall()

    def _cancel_stall_deadline(self) -> None:
        if self._stall_deadline is not None:
            self._stall_deadline.cancel()
            self._stall_deadline = None


def bounded_protocol(head: float, stalled: float, problem: bytes) -> type[BoundedProtocol]:
    """The protocol with bounds of one's own, in seconds, and with what to say to what is not HTTP."""

    class Protocol(BoundedProtocol):
        head_seconds = head
        stalled_seconds = stalled
        bad_request = problem

    return Protocol
