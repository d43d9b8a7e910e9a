"""uvicorn's HTTP protocol, taught to bound what a client can hold, and to answer what is not quite HTTP.

uvicorn has no deadline for a request's head and none for a client that takes no byte of its answer; either holds its
connection for ever. It takes heads of any size, and closes without a word, or with a reset, where a client still sends.
"""

import asyncio
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.http.problems import RequestError
from app.server.clocks import Deadline, Patience, StallWatch
from app.server.exchange import Exchange
from app.server.head import MOST_HEAD_BYTES, checked_length, checked_target, too_large
from app.server.parser import fault, new_parser, offers_upgrade, without_offer
from app.server.refusals import Refusals

MOST_DROPPED_BYTES = 2**26
"""So much of a body that nobody wants any more is read all the same: Apache looks for the answer only behind it."""
_MOST_FRAMING_BYTES = 2**22
"""What a body may have around it: sizes of chunks, and fields behind them. A chunk a byte takes six times the body."""


class Reading(Enum):
    """What comes next from the client."""

    NOTHING = auto()
    """A head, but it has not begun."""
    HEAD = auto()
    BODY = auto()
    REST = auto()
    """Whatever it is, it is dropped: the last answer has been given."""


class BoundedProtocol(HttpToolsProtocol):
    """With a deadline and bounds for what is read, and a deadline for a client that takes nothing."""

    patience: Patience
    refusals: Refusals

    _reading = Reading.NOTHING
    _size = 0
    """In bytes, as they came: of the head; of a body that is wanted, what is around it; of another, all of it."""
    _answering: Exchange | None = None
    """The request whose turn it is; `cycle` is the one that was read last."""
    _deadline: Deadline
    _stall: StallWatch

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the head, but not for ever."""
        super().connection_made(transport)
        self.parser = new_parser(self)
        self._stall = StallWatch(self.loop, transport, self.patience.stalled)
        self._deadline = Deadline(self.loop, self.patience.head)
        self._deadline.set(transport.abort)

    def data_received(self, data: bytes) -> None:
        """Read, and hold what has come against the bounds."""
        self._unset_keepalive_if_required()
        before, last = self._reading, self.cycle
        try:
            if before is not Reading.REST:
                self._parse(data)
            if self._reading is not Reading.NOTHING:
                # How much of a head came together with the end of another request, the parser does not say.
                is_shared = self._reading is Reading.HEAD and (before is Reading.BODY or self.cycle is not last)
                self._measure(0 if is_shared else len(data))
        except RequestError as error:
            self._refuse(error)
        else:
            if self._is_idle():
                self._expect_more(before)

    def on_message_begin(self) -> None:
        """A head has begun."""
        super().on_message_begin()
        self._reading, self._size = Reading.HEAD, 0

    def on_headers_complete(self) -> None:
        """The head is there; a body has its own deadline, in the application."""
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
        self.headers = []  # for fields behind the body, which nobody gets to see: a proxy has not looked at them
        self._reading, self._size = Reading.BODY, 0
        self._answer(version, length)

    def on_body(self, body: bytes) -> None:
        """A piece of it, which nobody wants once there is an answer."""
        if not self.cycle.response_complete:
            self._size -= len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is there; the parser sees none behind an offer."""
        if not offers_upgrade(self.parser):
            self._reading = Reading.NOTHING
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Nothing will be written that would notice a client that does not take the rest, so that is watched."""
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
        """Forget the deadlines."""
        self._deadline.cancel()
        self._stall.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read as fast as the reply comes: the stream waits, but not for ever."""
        super().pause_writing()
        self._stall.look()

    def resume_writing(self) -> None:
        """It reads again."""
        self._stall.cancel()
        super().resume_writing()

    def _parse(self, data: bytes) -> None:
        """Raises `RequestError` for what is not HTTP, or not within the bounds."""
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = without_offer(self.parser, self.url, self.headers) + data[upgrade.args[0] :]
                self.parser = new_parser(self)
            except httptools.HttpParserError as error:
                if error.__context__ is not None:  # what was raised above, of which the parser only says that it was
                    raise error.__context__ from None
                raise RequestError(fault(self.parser)) from None
            else:
                return

    def _measure(self, size: int) -> None:
        """So many bytes more. Raises `RequestError` if it is too much and there may be an answer to it."""
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
        """Nothing is being answered. Anything begins a head: else a line feed now and then would hold a connection."""
        if before is Reading.BODY and self._reading is Reading.NOTHING:
            self._deadline.cancel()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        elif (before is Reading.BODY and self._reading is Reading.HEAD) or not self._deadline.is_set:
            self._deadline.set(self.transport.abort)

    def _answer(self, version: str, length: int) -> None:
        """Let the application do it, when it is this request's turn."""
        exchange = Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and version != "1.0",
            keep_alive=version != "1.0" and self.parser.should_keep_alive() and length <= MOST_DROPPED_BYTES,
            on_response=self.on_response_complete,
        )
        self.cycle = exchange
        if self._is_idle():
            self._start_asgi_task(exchange, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))

    def _start_asgi_task(self, cycle: Exchange, app: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - uvicorn's
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, error: RequestError) -> None:
        """Answer with a problem, and hang up.

        Behind a request that is being answered, only hang up: two answers at once would be none.
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
        """Close. Whoever may still be sending is told so first, and read for a moment (RFC 9112, section 9.6).

        Closed with bytes unread, a connection is reset, and that takes the answer from a client that has not read it.
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
    """The protocol with bounds of one's own, and with what to say to what is not HTTP."""

    class Protocol(BoundedProtocol):
        patience = allowed
        refusals = answers

    return Protocol
