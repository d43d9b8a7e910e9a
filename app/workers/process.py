"""A worker as its parent sees it: a process, and the channel to it."""

import asyncio
import errno
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import Mapping
from contextlib import ExitStack, suppress

from app.chat.errors import CannotStart
from app.workers.channel import Answer, Order, Task, answered, packed

_NEXT: Mapping[int | None, str] = {
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit on open files (sysctl fs.file-max)",
    errno.EAGAIN: "raise the limit on processes and threads (ulimit -u, or the container's)",
    errno.ENOMEM: "free memory, or lower CHAT_WORKERS",
}


class Worker:
    """A process that was started."""

    def __init__(
        self, number: int, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """See `started`."""
        self.number = number
        self._process = process
        self._reader = reader
        self._writer = writer
        self._has_begun = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def answer(self) -> Answer | None:
        """What it says next; nothing if it ends without a word."""
        try:
            return answered(await self._reader.readline())
        except OSError:
            return None

    async def stands_still(self, every_seconds: float, times: int) -> None:
        """Return when it has not answered so many times, one after another. It serves."""
        missed = 0
        while missed < times:
            self.order(Order.ANSWER)
            try:
                async with asyncio.timeout(every_seconds):
                    await self.answer()
            except TimeoutError:
                missed += 1  # counted, not measured: the parent may have stood still as well
            else:
                missed = 0
                await asyncio.sleep(every_seconds)

    def order(self, order: Order) -> None:
        """Tell it what to do. If it has not begun anything, it has only to begin or to end."""
        if order is Order.BEGIN:
            self._has_begun = True
        elif not self._has_begun:
            self.kill()  # it is still importing, and would not listen
        with suppress(OSError):
            self._writer.write(order.value)

    def kill(self) -> None:
        """End it without any order."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self) -> int:
        """Wait for its end. Returns the exit status, or minus the number of the signal that has ended it."""
        status = await self._process.wait()
        self._writer.close()
        return status


async def started(task: Task) -> Worker:
    """Start a fresh process: a fork of this one would inherit what only works in one.

    Raises `CannotStart` if the system does not allow it, and leaves nothing behind.
    """
    try:
        return await _started(task)
    except OSError as error:
        raise _cannot_start(error.strerror, error.errno) from error
    except RuntimeError as error:  # asyncio waits for each process in a thread, which cannot be started
        raise _cannot_start(str(error), errno.EAGAIN) from error


async def _started(task: Task) -> Worker:
    ours, its = socket.socketpair()
    memory = () if task.metrics is None else (task.metrics,)
    with its, ExitStack() as undo:
        undo.callback(ours.close)
        reader, writer = await asyncio.open_connection(sock=ours)
        undo.callback(writer.close)  # a process that was started all the same ends with its channel
        process = await create_subprocess_exec(
            sys.executable,
            "-m",
            "app.workers",
            str(its.fileno()),
            stdin=DEVNULL,
            pass_fds=(its.fileno(), task.counts, *memory, *task.listeners),
            process_group=0,  # Ctrl-C is for the parent
        )
        undo.pop_all()
    with suppress(OSError):
        writer.write(packed(task))
    return Worker(task.number, process, reader, writer)


def _cannot_start(what: str | None, number: int | None) -> CannotStart:
    return CannotStart(
        f"a worker's process cannot be started: {what}. Next: {_NEXT.get(number, f'check that {sys.executable} runs')}"
    )


def told_of_end(status: int) -> str:
    """How a process has ended."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
