"""Pauses between words. All that end in the same millisecond share one timer of the event loop.

With a thousand streams, a timer for each word costs more than all else that is done for it.
"""

import asyncio
from collections.abc import Iterable

_SHARED_SECONDS = 1.0
"""A longer pause has a timer of its own: one that is cancelled would be kept until the shared timer fires."""

_TICKS_A_SECOND = 1000
"""Event loops are no more precise than that."""


class Pauses:
    """The pauses of a bot's replies."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self) -> None:
        """Nobody waits."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    def begin(self, loop: asyncio.AbstractEventLoop, seconds: float) -> "asyncio.Future[None]":
        """To be awaited on this loop, the running one. Ends after so many seconds, to the nearest millisecond."""
        future = loop.create_future()
        if seconds > _SHARED_SECONDS:
            timer = loop.call_later(seconds, _end, (future,))
            future.add_done_callback(lambda _: timer.cancel())
            return future
        if loop is not self._loop:
            self._loop, self._waiting = loop, {}
        tick = round((loop.time() + seconds) * _TICKS_A_SECOND)
        waiting = self._waiting.get(tick)
        if waiting is None:
            waiting = self._waiting[tick] = []
            loop.call_at(tick / _TICKS_A_SECOND, self._fire, tick)
        waiting.append(future)
        return future

    def _fire(self, tick: int) -> None:
        _end(self._waiting.pop(tick, ()))


def _end(waiting: Iterable["asyncio.Future[None]"]) -> None:
    for future in waiting:
        if not future.done():  # else its reply was stopped
            future.set_result(None)
