"""A listening socket that several processes share, each of which takes the connections that are due to it.

There is one queue of new connections for all of them, so when one dies or leaves, no connection is lost with it: the
others take what waits. The kernel does not balance such a queue: the process that is awake first takes all there is.
(Of 20 connections at once, one of two processes took 19.) With a queue for each process (SO_REUSEPORT), 20 came as 10
and 10, 200 as 107 and 93; but a dead process's queue is reset or waits for its successor, and a successor, which has no
connections, gets no more of the new ones than the others. So each process publishes how many connections it has, takes
one at a time, and leaves the next one for a moment to those that have fewer: 20 came as 11 and 9, 200 as 100 and 100,
whether at once or one by one.

One that has fewer and does not come, because it is busy or frozen, delays each connection by `MOMENT_SECONDS`.
"""

import asyncio
import errno
import mmap
import os
import socket
import struct
import tempfile
from collections.abc import Callable

MOMENT_SECONDS = 0.002
_PAUSE_SECONDS = 1.0
"""Where the process has no file descriptor left."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

_ABSENT = -1
_COUNT = struct.Struct("i")


def shared_counts(processes: int) -> int:
    """A file descriptor with a count for each process; all are absent."""
    with tempfile.TemporaryFile() as file:
        file.write(_COUNT.pack(_ABSENT) * processes)
        file.flush()
        return os.dup(file.fileno())


class Counts:
    """How many connections each process has."""

    def __init__(self, descriptor: int, processes: int) -> None:
        """`descriptor` is one of `shared_counts`."""
        self._memory = mmap.mmap(descriptor, processes * _COUNT.size)
        self._processes = processes

    def set(self, process: int, connections: int) -> None:
        """Publish; the first process is 0."""
        _COUNT.pack_into(self._memory, process * _COUNT.size, connections)

    def remove(self, process: int) -> None:
        """It takes no connections."""
        self.set(process, _ABSENT)

    def fewest(self, besides: int) -> int | None:
        """Of the other processes that take connections; `None` if there is none."""
        counts = (self._of(process) for process in range(self._processes) if process != besides)
        return min((count for count in counts if count != _ABSENT), default=None)

    def _of(self, process: int) -> int:
        count: int = _COUNT.unpack_from(self._memory, process * _COUNT.size)[0]
        return count


class Share:
    """A process's share of the connections. They come between `open` and `close`."""

    def __init__(
        self, listeners: list[socket.socket], counts: Counts, process: int, moment_seconds: float = MOMENT_SECONDS
    ) -> None:
        """`process` is this one's number in the `counts`; the others have a moment to take what is due to them."""
        self._listeners = listeners
        self._counts = counts
        self._process = process
        self._moment_seconds = moment_seconds
        self._connected: Callable[[], int] = int
        self._factory: Callable[[], asyncio.Protocol] = asyncio.Protocol
        self._accepting: set[asyncio.Task[object]] = set()
        self._is_open = False

    def connect(self, factory: Callable[[], asyncio.Protocol], connected: Callable[[], int]) -> None:
        """Say what makes a connection's protocol, and what tells how many connections there are."""
        self._factory, self._connected = factory, connected

    def open(self) -> None:
        """Take connections from now on."""
        if not self._is_open:
            self._is_open = True
            self.publish()
            for listener in self._listeners:
                self._look(listener)

    def close(self) -> None:
        """Leave connections to the others."""
        if self._is_open:
            self._is_open = False
            self._counts.remove(self._process)
            for listener in self._listeners:
                asyncio.get_running_loop().remove_reader(listener.fileno())

    def close_listeners(self) -> None:
        """Let go of the sockets: when all processes have, others can listen there."""
        self.close()
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    def publish(self) -> int:
        """Tell the others how many connections there are, which ends are not noticed by themselves."""
        count = self._connected() + len(self._accepting)
        if self._is_open:
            self._counts.set(self._process, count)
        return count

    def _look(self, listener: socket.socket) -> None:
        if self._is_open:
            asyncio.get_running_loop().add_reader(listener.fileno(), self._come, listener)

    def _come(self, listener: socket.socket) -> None:
        fewest = self._counts.fewest(besides=self._process)
        if fewest is not None and self.publish() > fewest:
            self._pause(listener, self._moment_seconds)
        else:
            self._accept(listener)

    def _pause(self, listener: socket.socket, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener.fileno())
        loop.call_later(seconds, self._come_back, listener)

    def _come_back(self, listener: socket.socket) -> None:
        if self._is_open:
            self._look(listener)
            self._accept(listener)  # if it is still there

    def _accept(self, listener: socket.socket) -> None:
        try:
            accepted, _ = listener.accept()
        except OSError as error:  # another process was faster, or the client has gone
            if error.errno in _EXHAUSTED:
                self._pause(listener, _PAUSE_SECONDS)
            return
        accepted.setblocking(False)  # noqa: FBT003 - positional only
        loop = asyncio.get_running_loop()
        task: asyncio.Task[object] = loop.create_task(self._take(loop, accepted))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
        self.publish()

    async def _take(self, loop: asyncio.AbstractEventLoop, accepted: socket.socket) -> None:
        try:
            await loop.connect_accepted_socket(self._factory, accepted)
        except OSError:  # the client has gone
            accepted.close()
