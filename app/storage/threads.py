"""Runs functions in threads for the event loop.

`concurrent.futures` does that too, with a second future for each call that has a lock of its own and copies its outcome
to the first. For a transaction of a few short replies, that costs the event loop as much as the replies do.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")

_Call = tuple["asyncio.Future[Any]", Callable[[], Any]]


class Threads:
    """Up to some number of threads. All methods are called on the event loop."""

    def __init__(self, most: int, name: str) -> None:
        """None is started before it is needed."""
        self._most = most
        self._name = name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._open = 0  # calls that wait or run

    def call(self, function: Callable[[], Result], outcome: "asyncio.Future[Result]") -> None:
        """Call the function, even if nobody waits for its `outcome` any more. Raises `OSError` without a thread."""
        if len(self._threads) < min(self._open + 1, self._most):
            thread = threading.Thread(target=self._run, args=(self._calls,), name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the system has no more of them
                if not self._threads:
                    raise OSError(str(error)) from None
            else:
                self._threads.append(thread)
        self._open += 1
        self._calls.put((outcome, function))

    async def close(self) -> None:
        """Wait for all calls, and end the threads. Later calls start new ones."""
        threads, self._threads = self._threads, []
        calls, self._calls = self._calls, SimpleQueue()
        for _ in threads:
            calls.put(None)
        await asyncio.to_thread(_join, threads)

    def _run(self, calls: "SimpleQueue[_Call | None]") -> None:
        while (call := calls.get()) is not None:
            outcome, function = call
            result = error = None
            try:
                result = function()
            except BaseException as raised:  # noqa: BLE001 - raised again where it is awaited
                error = raised
            with suppress(RuntimeError):  # the event loop is closed
                outcome.get_loop().call_soon_threadsafe(self._settle, outcome, result, error)
            del call, outcome, function, result, error  # while waiting for the next one, hold on to nothing

    def _settle(self, outcome: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
        self._open -= 1
        if outcome.done():
            return  # nobody waits any more
        if error is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(error)


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()
