"""An OpenAI-compatible engine scripted by a test: it writes raw HTTP to a real socket, so it can misbehave at any byte.

A script defines the response to one request: bytes to send, seconds to wait, events to wait for, and CLOSE or RESET.
After its last step the engine is silent, and waits for the next request or a disconnect; `()` never responds. Typical
responses are in `tests.support.completions`.
"""

import asyncio
import enum
import itertools
import json
import socket
import struct
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal


class End(enum.Enum):
    """How to close the connection: orderly, or with a reset."""

    CLOSE = enum.auto()
    RESET = enum.auto()


CLOSE, RESET = End.CLOSE, End.RESET
Step = bytes | float | asyncio.Event | End
Script = Iterable[Step]


class _Connection(asyncio.Protocol):
    def __init__(self, engine: "FakeEngine") -> None:
        self.closed_at: float | None = None
        self._engine = engine
        self._unread = b""
        self._scripts: asyncio.Queue[Script] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP has no others
        self._transport = transport
        self._writable.set()
        self._engine.connections.append(self)
        self._task = self._engine.tasks.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            request_line, *lines = self._unread[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body_end = end + 4 + int(headers.get("content-length", 0))
            if len(self._unread) < body_end:
                return
            body, self._unread = self._unread[end + 4 : body_end], self._unread[body_end:]
            method, path, _ = request_line.split(" ")
            self._engine.exchanges.append(Exchange(method, path, headers, json.loads(body or b"null"), self))
            self._scripts.put_nowait(next(self._engine.scripts))
            self._engine.news.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def eof_received(self) -> None:
        self._over()

    def connection_lost(self, _: Exception | None) -> None:
        self._over()
        self._task.cancel()

    def hang_up(self, how: End) -> None:
        """Close the connection."""
        if how is RESET and not self._transport.is_closing():
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
        else:
            self._transport.close()

    def _over(self) -> None:
        self.closed_at = self.closed_at or time.monotonic()
        self._engine.news.set()

    async def _serve(self) -> None:
        while True:
            for step in await self._scripts.get():
                match step:
                    case bytes():
                        self._transport.write(step)
                        await self._writable.wait()
                        await asyncio.sleep(0)  # so that the client reads it before the next one
                    case asyncio.Event():
                        await step.wait()
                    case End():
                        self.hang_up(step)
                    case _:
                        await asyncio.sleep(step)


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """A received request."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: Any
    """The parsed JSON."""
    connection: _Connection

    @property
    def closed_at(self) -> float | None:
        """When its connection ended (`time.monotonic`), if it has."""
        return self.connection.closed_at


class FakeEngine:
    """The server. An async context manager; its `url` is a bot's `base_url`."""

    def __init__(self, *scripts: Script) -> None:
        """One script per request, in order of arrival; the last one is used for all later requests."""
        self.exchanges: list[Exchange] = []
        self.connections: list[_Connection] = []
        self.tasks: asyncio.TaskGroup
        self.news: asyncio.Event
        self.scripts: Iterator[Script]
        self.url: str
        self._listener: asyncio.Server
        self.answers(*scripts)

    def answers(self, *scripts: Script) -> None:
        """Use these scripts from now on."""
        self.scripts = itertools.chain(scripts, itertools.repeat(scripts[-1] if scripts else ()))

    async def __aenter__(self) -> Self:
        """Listen."""
        self.news = asyncio.Event()
        self.tasks = asyncio.TaskGroup()
        await self.tasks.__aenter__()
        self._listener = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self._listener.close()
        for connection in self.connections:
            connection.hang_up(RESET)  # an orderly end would wait for clients that do not read
        await self.tasks.__aexit__(None, None, None)  # an exception in the test is not a failure of these tasks

    @property
    def open(self) -> int:
        """How many connections are open."""
        return sum(connection.closed_at is None for connection in self.connections)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition is true; it is evaluated at each request and each end of a connection."""
        while not condition():
            self.news.clear()
            await self.news.wait()

    async def asked(self, count: int = 1) -> Exchange:
        """Wait for the request with this number, from 1."""
        await self.until(lambda: len(self.exchanges) >= count)
        return self.exchanges[count - 1]


@contextmanager
def engine_beside(engine: FakeEngine) -> Generator[BlockingPortal, None, None]:
    """Run an engine in its own thread, for synchronous tests. `portal.call(engine.asked, 1)`."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(engine):
        yield portal
