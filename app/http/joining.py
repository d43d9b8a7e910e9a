"""Fewer and larger sends while the event loop is behind.

A send costs a system call, about as much as everything else that is done for a word. When the loop has more to do than
it can, words of one stream wait a moment for the next ones and leave together. Nobody sees the difference, and what is
not spent on sends goes into words. While the loop keeps up, each word leaves at once.
"""

import asyncio

_LOOK_SECONDS = 0.02
_LATE_SECONDS = 0.01
"""Timers that fire later than this mean that the loop is behind."""

_PRECISION_SECONDS = 0.001
"""A timer may fire that much too early."""


class Joining:
    """Whether words wait, and how long. Looks only while there are streams."""

    __slots__ = ("_due", "_streams", "_timer", "is_on", "seconds")

    def __init__(self, seconds: float) -> None:
        """A word waits at most `seconds`; with 0, never."""
        self.seconds = seconds
        self.is_on = False
        self._streams = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def enter(self) -> None:
        """A stream begins."""
        self._streams += 1
        if self._timer is None and self.seconds:
            self._wait(asyncio.get_running_loop())

    def leave(self) -> None:
        """A stream is over."""
        self._streams -= 1
        if not self._streams and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.is_on = False

    def left(self, since: float) -> float:
        """How many seconds words still wait, if the last ones left so many seconds ago; 0 if they leave now."""
        left = self.seconds - since
        return left if self.is_on and left > _PRECISION_SECONDS else 0.0

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + _LOOK_SECONDS
        self._timer = loop.call_at(self._due, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_on = loop.time() - self._due > _LATE_SECONDS
        self._wait(loop)
