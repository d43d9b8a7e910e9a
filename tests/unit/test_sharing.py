"""Several processes on one listening socket: each takes its share of the connections, and none is lost."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import anyio
import pytest

from app.server.sharing import Counts, Share, shared_counts

_PATIENCE_SECONDS = 30.0
_MOMENT_SECONDS = 0.1
"""Fifty times what is usual: the machine may not stand still for longer, or one takes what is due to another."""
_ABOUT = 2
"""Such a standstill costs one or two."""


class _Process:
    """What a process has of it; here all are in one."""

    def __init__(self, listener: socket.socket, descriptor: int, number: int) -> None:
        self.connections: set[asyncio.BaseTransport] = set()
        self.share = Share([listener.dup()], Counts(descriptor, 3), number, _MOMENT_SECONDS)
        self.share.connect(lambda: _Protocol(self.connections), lambda: len(self.connections))

    def close(self) -> None:
        """Hang up."""
        self.share.close_listeners()
        for transport in self.connections:
            transport.close()


class _Protocol(asyncio.Protocol):
    def __init__(self, connections: set[asyncio.BaseTransport]) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(transport)


class _Clients:
    """Connect, and wait until they are taken."""

    def __init__(self, listener: socket.socket, stack: ExitStack) -> None:
        self._address = listener.getsockname()
        self._stack = stack
        self._count = 0

    async def come(self, count: int, *processes: _Process) -> list[int]:
        """So many more at once. Returns how many connections each process has then."""
        self._count += count
        for _ in range(count):
            self._stack.enter_context(socket.create_connection(self._address))
        with anyio.fail_after(_PATIENCE_SECONDS):
            while sum(len(process.connections) for process in processes) < self._count:
                await anyio.sleep(0.001)
        return [len(process.connections) for process in processes]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """On a free port."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as made:
        made.setblocking(False)  # noqa: FBT003 - positional only
        yield made


async def test_connections_are_shared_evenly(listener: socket.socket) -> None:
    """Whether they come at once or one by one; and who has none gets the next ones."""
    descriptor = shared_counts(3)
    first, second, late = (_Process(listener, descriptor, number) for number in range(3))
    with ExitStack() as stack:
        for process in (first, second, late):
            stack.callback(process.close)
        clients = _Clients(listener, stack)
        first.share.open()
        second.share.open()
        *shared, none = await clients.come(20, first, second, late)
        assert max(shared) - min(shared) <= _ABOUT
        assert none == 0
        for _ in range(10):
            await clients.come(1, first, second, late)
        *shared, _ = await clients.come(0, first, second, late)
        assert max(shared) - min(shared) <= _ABOUT
        late.share.open()
        *_, much = await clients.come(12, first, second, late)
        assert much >= 12 - _ABOUT


async def test_the_connections_of_one_that_leaves_go_to_the_others(listener: socket.socket) -> None:
    """And back, when it has come back."""
    descriptor = shared_counts(3)
    first, second = (_Process(listener, descriptor, number) for number in range(2))
    with ExitStack() as stack:
        for process in (first, second):
            stack.callback(process.close)
        clients = _Clients(listener, stack)
        for process in (first, second):
            process.share.open()
        (few, _) = await clients.come(10, first, second)
        first.share.close()
        assert await clients.come(10, first, second) == [few, 20 - few]
        first.share.open()
        (more, _) = await clients.come(4, first, second)
        assert more >= few + 4 - _ABOUT


async def test_one_that_does_not_come_keeps_no_connection_from_the_others(listener: socket.socket) -> None:
    """It is busy or frozen, and has fewer than they have."""
    descriptor = shared_counts(3)
    first, second = (_Process(listener, descriptor, number) for number in range(2))
    Counts(descriptor, 3).set(2, 0)
    with ExitStack() as stack:
        for process in (first, second):
            stack.callback(process.close)
        clients = _Clients(listener, stack)
        for process in (first, second):
            process.share.open()
        assert sum(await clients.come(10, first, second)) == 10


async def test_a_port_is_free_when_all_have_let_go(listener: socket.socket) -> None:
    """Although connections are open."""
    process = _Process(listener, shared_counts(3), 0)
    with ExitStack() as stack:
        stack.callback(process.close)
        process.share.open()
        await _Clients(listener, stack).come(1, process)
        port = listener.getsockname()[1]
        process.share.close_listeners()
        listener.close()
        with socket.socket() as successor:
            successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            successor.bind(("127.0.0.1", port))
            successor.listen()
