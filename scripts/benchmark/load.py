"""The load generator: raw protocols that write a prepared request and record when events arrive.

While measuring, it only counts events and keeps the bytes; `transcript.check` parses them afterwards. So one core of
Python can drive any server here. It gives up only at time limits, not because a server is slow.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

from typing_extensions import override

from .transcript import LAST_CHUNK, WrongAnswer

EVENT_MARK = b"data:"


@dataclass(slots=True)
class Exchange:
    """One request and its response: the bytes and, for each read, its time and the number of events in it."""

    sent_at: float
    raw: bytearray = field(default_factory=bytearray)
    reads: list[tuple[float, int]] = field(default_factory=list)
    complete: bool = False
    ended: bool = False

    def moments(self) -> list[float]:
        """When each event arrived."""
        return [moment for moment, count in self.reads for _ in range(count)]

    def events(self) -> int:
        return sum(count for _, count in self.reads)


class Connection(asyncio.Protocol):
    """A keep-alive connection that repeats a request; calls `finished` after each response."""

    def __init__(self, request: bytes, finished: Callable[["Connection"], None]) -> None:
        self.request = request
        self.finished = finished
        self.began: Callable[[], None] | None = None  # called at the first event of each exchange
        self.exchange = Exchange(0.0)
        self.lost = False
        self.transport: asyncio.Transport  # set by `connect`: uvloop's transports are not asyncio.Transport

    def ask(self) -> None:
        self.exchange = Exchange(perf_counter())
        self.transport.write(self.request)

    @override
    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        exchange = self.exchange
        raw = exchange.raw
        # A mark may be split between two reads: search the last bytes again that are too short for a whole one.
        start = max(0, len(raw) - len(EVENT_MARK) + 1)
        raw += data
        count = raw.count(EVENT_MARK, start)
        if count:
            if self.began and not exchange.reads:
                self.began()
            exchange.reads.append((now, count))
        if raw.endswith(LAST_CHUNK):
            exchange.complete = True
            self._end()
        elif not exchange.reads and not raw.startswith(b"HTTP/1.1 200"):
            self._end()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._end()

    def _end(self) -> None:
        if not self.exchange.ended:
            self.exchange.ended = True
            self.finished(self)


async def connect(port: int, request: bytes, finished: Callable[[Connection], None]) -> Connection:
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(lambda: Connection(request, finished), "127.0.0.1", port)
    connection.transport = transport
    return connection


async def closed_loop(port: int, request: bytes, *, connections: int, seconds: float) -> list[Exchange]:
    """Each connection sends a request, reads the whole reply and repeats until the time is up; the last replies end."""
    exchanges: list[Exchange] = []
    ended = asyncio.Event()
    running = connections
    stop_at = perf_counter() + seconds

    def finished(connection: Connection) -> None:
        nonlocal running
        exchanges.append(connection.exchange)
        if connection.exchange.complete and not connection.lost and perf_counter() < stop_at:
            connection.ask()
        else:
            running -= 1
            if not running:
                ended.set()

    opened = [await connect(port, request, finished) for _ in range(connections)]
    try:
        for connection in opened:
            connection.ask()
        async with asyncio.timeout(seconds + 20):
            await ended.wait()
    except TimeoutError:
        raise WrongAnswer(f"{running} of {connections} replies did not end within 20 s") from None
    finally:
        for connection in opened:
            connection.transport.abort()
    return exchanges


class Crowd:
    """Many concurrent streams, started evenly over `ramp_seconds` so that their words are not all due at once."""

    def __init__(self, port: int, request: bytes, *, streams: int, ramp_seconds: float) -> None:
        self.port = port
        self.request = request
        self.streams = streams
        self.ramp_seconds = ramp_seconds
        self.connections: list[Connection] = []
        self.silent = self.unfinished = streams
        self.all_began = asyncio.Event()
        self.all_finished = asyncio.Event()

    async def open(self) -> None:
        begin = perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                for n in range(self.streams):
                    group.create_task(self._open_one(begin + self.ramp_seconds * n / self.streams))
        except ExceptionGroup as errors:
            raise WrongAnswer(f"stream {len(self.connections) + 1} did not open: {errors.exceptions[0]}") from errors

    async def _open_one(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - perf_counter()))
        connection = await connect(self.port, self.request, self._finished)
        connection.began = self._began
        self.connections.append(connection)
        connection.ask()

    def _finished(self, _: Connection) -> None:
        self.unfinished -= 1
        if not self.unfinished:
            self.all_finished.set()

    def _began(self) -> None:
        self.silent -= 1
        if not self.silent:
            self.all_began.set()

    def events(self) -> int:
        """How many have arrived so far."""
        return sum(connection.exchange.events() for connection in self.connections)

    async def began(self, seconds: float) -> None:
        """Wait until every stream has had an event, or the time is up."""
        await within(seconds, self.all_began)

    async def wait(self, seconds: float) -> None:
        """Wait until every stream has ended, or the time is up: a server that falls behind is not waited for."""
        await within(seconds, self.all_finished)

    def close(self) -> list[Exchange]:
        exchanges = [connection.exchange for connection in self.connections]
        for connection in self.connections:
            connection.finished = lambda _: None
            connection.transport.abort()
        return exchanges


async def within(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
