"""The parent of the workers: starts them, replaces those that die, and ends them all together. It serves nothing."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from socket import socket

import structlog

from app.chat.errors import CannotStart, Misconfigured
from app.server.sharing import Counts, shared_counts
from app.settings import Settings
from app.workers.channel import Answer, Failed, Order, Ready, Task
from app.workers.counting import SharedMetrics
from app.workers.process import Worker, started, told_of_end

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
"""The pause before a replacement doubles, up to this. A worker that has lived for longer begins with the first."""
_GRACE_SECONDS = 10.0
"""On top of the drain: for closing connections and the database."""
_STOP_SECONDS = 3.0
"""After the second signal."""
_ASK_SECONDS, _MOST_UNANSWERED = 4.0, 5
"""So often a worker is asked whether it is alive. After so many times without an answer it is not."""

_log = structlog.get_logger()


class Supervisor:
    """Looks after workers."""

    def __init__(
        self,
        settings: Settings,
        sockets: Sequence[socket],
        begin: Callable[[Ready, Sequence[int]], None],
        metrics: SharedMetrics,
    ) -> None:
        """The sockets are bound.

        `begin` is called when all workers are ready, with what the first one said and all process ids. The `metrics`
        are those of all workers.
        """
        self._metrics = metrics
        self._settings = settings
        self._listeners = tuple(listener.fileno() for listener in sockets)
        self._begin = begin
        self._descriptor = shared_counts(settings.workers)
        self._counts = Counts(self._descriptor, settings.workers)
        self._workers: dict[int, Worker] = {}
        self._signals: list[int] = []
        self._ending = asyncio.Event()
        self._has_killed = False

    async def run(self) -> int | None:
        """Serve. Returns the signal that has ended it. Raises, in a group, why the workers cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled, number)
        try:
            async with self._metrics.served():
                if await self._start_all():
                    async with asyncio.TaskGroup() as group:
                        for worker in list(self._workers.values()):
                            group.create_task(self._keep(worker))
        finally:
            await self._end_all()
        return self._signals[0] if self._signals else None

    async def _start_all(self) -> bool:
        """Start all workers; false if a signal comes first."""
        numbers = range(1, self._settings.workers + 1)
        for number in numbers:
            await self._started(number)
        if self._signals:
            return False
        first: Ready | None = None
        # They all import at the same time; but the first one brings the database up to date, and fails for all.
        for batch in (numbers[:1], numbers[1:]):
            for number in batch:
                self._workers[number].order(Order.BEGIN)
            for number in batch:
                answer = await self._workers[number].answer()
                if self._signals:
                    return False
                if not isinstance(answer, Ready):
                    raise await self._reason(self._workers[number], answer)
                first = first or answer
        if first is not None:
            self._begin(first, [worker.pid for worker in self._workers.values()])
        for worker in self._workers.values():
            worker.order(Order.ACCEPT)
        return True

    async def _keep(self, worker: Worker) -> None:
        """Replace a worker whenever it ends."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE_SECONDS
        while True:
            begun = loop.time()
            watch = asyncio.create_task(self._kill_if_it_stands_still(worker))
            try:
                status = await worker.ended()
            finally:
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)
            self._counts.remove(worker.number - 1)
            self._metrics.forget_present(worker.number - 1)
            if self._ending.is_set():
                if status and len(self._signals) == 1 and not self._has_killed:
                    _log.error(
                        "a worker has died while it drained", worker=worker.number, ended_with=told_of_end(status)
                    )
                return
            if loop.time() - begun > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            how = {"worker": worker.number, "pid": worker.pid, "ended_with": told_of_end(status)}
            if status:
                _log.error("a worker has died and is replaced", **how, in_seconds=pause)
            else:
                _log.warning("a worker has ended and is replaced", **how, in_seconds=pause)
            replacement, pause = await self._replaced(worker.number, pause)
            if replacement is None:
                return
            worker = replacement

    @staticmethod
    async def _kill_if_it_stands_still(worker: Worker) -> None:
        """Its connections wait for it, and other instances have taken it for dead."""
        await worker.stands_still(_ASK_SECONDS, _MOST_UNANSWERED)
        _log.error("a worker does not answer and is killed", worker=worker.number, pid=worker.pid)
        worker.kill()

    async def _replaced(self, number: int, pause: float) -> tuple[Worker | None, float]:
        """A new worker, and the next pause; no worker if a signal comes first."""
        while not await self._ends_within(pause):
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            try:
                worker = await self._started(number)
            except CannotStart as error:
                _tell_why_not_replaced(number, [error], pause)
                continue
            if not self._ending.is_set():
                worker.order(Order.BEGIN)
            answer = await worker.answer()
            if isinstance(answer, Ready):
                worker.order(Order.ACCEPT)
                _log.info("the worker is replaced", worker=number, pid=worker.pid)
                return worker, pause
            reason = await self._reason(worker, answer)
            if self._ending.is_set():
                break
            if not any(other.is_alive for other in self._workers.values()):
                raise reason
            _tell_why_not_replaced(number, reason.exceptions, pause)
        return None, pause

    async def _started(self, number: int) -> Worker:
        settings = self._settings
        memory = self._metrics.descriptor
        worker = await started(Task(settings, number, settings.workers, self._listeners, self._descriptor, memory))
        self._workers[number] = worker
        if self._ending.is_set():
            worker.order(Order.STOP)
        return worker

    async def _reason(self, worker: Worker, answer: Answer | None) -> ExceptionGroup[CannotStart]:
        """Why a worker has not started."""
        status = await worker.ended()
        if isinstance(answer, Failed):
            kind = Misconfigured if answer.status == Misconfigured.exit_status else CannotStart
            return ExceptionGroup("worker", [kind(line) for line in answer.lines])
        how = told_of_end(status)
        return ExceptionGroup(
            "worker", [CannotStart(f"a worker ended with {how} while it started. Next: see what the log says before")]
        )

    def _signalled(self, number: int) -> None:
        self._signals.append(number)
        self._ending.set()
        loop = asyncio.get_running_loop()
        if len(self._signals) == 1:
            self._order_all(Order.DRAIN)
            loop.call_later(self._settings.drain_seconds + _GRACE_SECONDS, self._kill_all)
        else:
            self._order_all(Order.STOP)
            loop.call_later(_STOP_SECONDS, self._kill_all)

    def _order_all(self, order: Order) -> None:
        for worker in self._workers.values():
            if worker.is_alive:
                worker.order(order)

    def _kill_all(self) -> None:
        self._has_killed = True
        for worker in self._workers.values():
            if worker.is_alive:
                _log.error("a worker did not end in time and is killed", worker=worker.number, pid=worker.pid)
                worker.kill()

    async def _end_all(self) -> None:
        """Leave no worker behind."""
        self._ending.set()
        if not self._signals:
            self._order_all(Order.DRAIN)
            asyncio.get_running_loop().call_later(self._settings.drain_seconds + _GRACE_SECONDS, self._kill_all)
        await asyncio.gather(*(worker.ended() for worker in self._workers.values()))

    async def _ends_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        return self._ending.is_set()


def _tell_why_not_replaced(number: int, reasons: Sequence[Exception], pause: float) -> None:
    _log.error("a worker cannot be replaced", worker=number, reasons=list(map(str, reasons)), again_in_seconds=pause)
