"""Waits for something that may take long, returning periodically so that the caller can report that it is alive."""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Result = TypeVar("Result")


class Waiting(Generic[Result]):
    """A context manager that runs the work in a task, which does not outlive it."""

    def __init__(
        self, work: Coroutine[Any, Any, Result], look_seconds: float, discard: Callable[[Result], None]
    ) -> None:
        """`discard` is called with a result that was not taken."""
        self._work = work
        self._look_seconds = look_seconds
        self._discard = discard
        self._task: asyncio.Task[Result]
        self._is_taken = False

    async def __aenter__(self) -> Self:
        """Start the work."""
        self._task = asyncio.create_task(self._work)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel unfinished work, and wait for it."""
        if self._is_taken:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled() and self._task.exception() is None:
            self._discard(self._task.result())

    async def is_over(self) -> bool:
        """Whether there is a result. Returns as soon as there is one, at the latest after `look_seconds`."""
        await asyncio.wait([self._task], timeout=self._look_seconds)
        return self._task.done()

    def result(self) -> Result:
        """The result; raises what the work raised."""
        self._is_taken = True
        return self._task.result()
