"""uvicorn's HTTP protocol with limits on what a client can occupy, and with responses to malformed requests.

uvicorn has no deadline for a request's head, nor for a client that reads nothing of its response; either keeps its
connection open for ever. It accepts heads of any size, and while a client is still sending, it closes the connection
without a response or with a reset.
"""

import asyncio
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.http.immediate import offering
from app.http.problems import RequestError
from app.server.clocks import Deadline, Patience, StallWatch
from app.server.exchange import Exchange
from app.server.head import MOST_HEAD_BYTES, checked_length, checked_target, too_large
from app.server.parser import fault, new_parser, offers_upgrade, without_offer
from app.server.refusals import Refusals
from app.server.signals import Flow, Signal

MOST_DROPPED_BYTES = 2**26
"""How much of a body is still read when it is no longer needed: Apache reads the response only after sending it."""
_MOST_FRAMING_BYTES = 2**22
"""Limit for the overhead of a chunked body: chunk sizes and trailers. Chunks of one byte take six times the body."""


class Reading(Enum):
    """What is being read from the client."""

    NOTHING = auto()
    """Waiting for a head."""
    HEAD = auto()
    BODY = auto()
    REST = auto()
    """Anything, which is dropped: the last response has been sent."""


class BoundedProtocol(HttpToolsProtocol):
    """Has deadlines and limits for what is read, and a deadline for a client that does not read."""

    # In the object itself: an instance's dictionary takes twice the memory above thirty names.
    __slots__ = ("_answering", "_deadline", "_reading", "_size", "_stall")

    patience: Patience
    refusals: Refusals

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        """As uvicorn's."""
        super().__init__(*arguments, **options)
        self._reading = Reading.NOTHING
        self._size = 0  # bytes received: of a head, all; of a body that is needed, the framing; of another body, all
        self._answering: Exchange | None = None  # the request being answered; `cycle` is the one that was read last
        self._deadline: Deadline
        self._stall: StallWatch

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wait for the head, with a deadline."""
        super().connection_made(transport)
        self.flow = Flow(transport)
        self.pipeline = []  # type: ignore[assignment]  # a deque takes 700 bytes more, and nearly all stay empty
        self.parser = new_parser(self)
        self._stall = StallWatch(self.loop, transport, self.patience)
        self._deadline = Deadline(self.loop, self.patience.head)
        self._deadline.set(transport.abort)

    def data_received(self, data: bytes) -> None:
        """Parse the data and check the limits."""
        self._unset_keepalive_if_required()
        before, last = self._reading, self.cycle
        try:
            if before is not Reading.REST:
                self._parse(data)
            if self._reading is not Reading.NOTHING:
                # The parser does not say how much of the data belongs to a head that follows another request's end.
                is_shared = self._reading is Reading.HEAD and (before is Reading.BODY or self.cycle is not last)
                self._measure(0 if is_shared else len(data))
        except RequestError as error:
            self._refuse(error)
        else:
            if self._is_idle():
                self._expect_more(before)

    def on_message_begin(self) -> None:
        """Start counting the bytes of a head."""
        super().on_message_begin()
        self._reading, self._size = Reading.HEAD, 0

    def on_headers_complete(self) -> None:
        """Check the head and start the request; the application has its own deadline for a body."""
        self._deadline.cancel()
        if offers_upgrade(self.parser):
            return
        version = self.parser.get_http_version()
        target = checked_target(self.url)
        length = checked_length(version, self.headers)
        path = target.path.decode("ascii")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = "1.0" if version == "1.0" else "1.1"
        self.scope["raw_path"] = target.path
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["query_string"] = target.query
        if target.host is not None:
            self.headers[:] = [(b"host", target.host), *(field for field in self.headers if field[0] != b"host")]
        self.headers = []  # for trailers, which are discarded: proxies do not check them
        self._reading, self._size = Reading.BODY, 0
        self._answer(version, length)

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body, unless the response is complete."""
        if not self.cycle.response_complete:
            self._size -= len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is complete. After an upgrade offer the parser has not read it, so this call does not count."""
        if not offers_upgrade(self.parser):
            self._reading = Reading.NOTHING
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the next request or close. No later write would notice a client that stops reading, so watch for it."""
        if self._answering is not None and not self._answering.keep_alive:
            self.server_state.total_requests += 1
            self.pipeline.clear()
            self._hang_up()
        else:
            super().on_response_complete()
            if self._is_idle() and self._reading is not Reading.NOTHING:
                self._unset_keepalive_if_required()
                self._size = 0
                self._deadline.set(self.transport.abort if self._reading is Reading.HEAD else self.transport.close)
        self._stall.look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadlines, and tell the application."""
        self._deadline.cancel()
        self._stall.cancel()
        super().connection_lost(exc)
        if not self._is_idle() and self._answering is not None:
            self._answering.lose()  # it may not be the request that was read last

    def pause_writing(self) -> None:
        """The client reads more slowly than the reply is generated: the stream waits, with a deadline."""
        super().pause_writing()
        if self._answering is not None:
            self._answering.look()
        self._stall.look()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._stall.cancel()
        super().resume_writing()
        if self._answering is not None:
            self._answering.look()

    def _parse(self, data: bytes) -> None:
        """Raises `RequestError` for what is not HTTP, or exceeds the limits."""
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = without_offer(self.parser, self.url, self.headers) + data[upgrade.args[0] :]
                self.parser = new_parser(self)
            except httptools.HttpParserError as error:
                if error.__context__ is not None:  # raised in a callback above; the parser hides it
                    raise error.__context__ from None
                raise RequestError(fault(self.parser)) from None
            else:
                return

    def _measure(self, size: int) -> None:
        """Count bytes. Above a limit, raises `RequestError`, or just closes if the response has been sent."""
        self._size += size
        if self._reading is Reading.HEAD:
            if self._size > MOST_HEAD_BYTES:
                raise too_large(self.url)
        elif self._is_idle():
            if self._size > MOST_DROPPED_BYTES:
                self.transport.close()
        elif self._size > _MOST_FRAMING_BYTES:
            raise RequestError("head-too-large")

    def _expect_more(self, before: Reading) -> None:
        """Set the deadline while no request is answered. Any byte starts it, even a line feed between requests."""
        if before is Reading.BODY and self._reading is Reading.NOTHING:
            self._deadline.cancel()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        elif (before is Reading.BODY and self._reading is Reading.HEAD) or not self._deadline.is_set:
            self._deadline.set(self.transport.abort)

    def _answer(self, version: str, length: int) -> None:
        """Start the application for this request, now or when it is its turn."""
        exchange = Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=Signal(),  # has the methods of an event
            expect_100_continue=self.expect_100_continue and version != "1.0",
            keep_alive=version != "1.0" and self.parser.should_keep_alive() and length <= MOST_DROPPED_BYTES,
            on_response=self.on_response_complete,
        )
        self.scope["extensions"] = offering(exchange)
        self.cycle = exchange
        if self._is_idle():
            self._start_asgi_task(exchange, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.insert(0, (exchange, self.app))

    def _start_asgi_task(self, cycle: Exchange, app: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - uvicorn's
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, error: RequestError) -> None:
        """Respond with a problem, and close the connection.

        While an earlier request is being answered, only close it: two interleaved responses would be unreadable.
        """
        answering = self._answering
        is_its_body = self._reading is Reading.BODY and answering is self.cycle
        if is_its_body and answering is not None and not answering.response_started:
            answering.abandon()
            self.transport.write(self.refusals.answer(error, self.server_state.default_headers))
        elif self._is_idle() and not is_its_body:
            self.transport.write(self.refusals.answer(error, self.server_state.default_headers))
        if self._is_idle():
            self._hang_up()
            self._stall.look()
        else:
            self.transport.close()

    def _hang_up(self) -> None:
        """Close. If the client may still be sending, half-close first and read for a moment (RFC 9112, section 9.6).

        Closing with unread bytes resets the connection, and a client that has not read its response would lose it.
        """
        self._deadline.cancel()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._reading is Reading.NOTHING or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._reading, self._size = Reading.REST, 0
        self.transport.write_eof()
        self._deadline.set(self.transport.close)

    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self._answering is None or self._answering.response_complete


def bounded_protocol(allowed: Patience, answers: Refusals) -> type[BoundedProtocol]:
    """The protocol class with these time limits, and with these responses to malformed requests."""

    class Protocol(BoundedProtocol):
        __slots__ = ()
        patience = allowed
        refusals = answers

    return Protocol
