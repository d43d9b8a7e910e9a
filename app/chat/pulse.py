"""Whether this process has been running: one that stood still for a whole lease was taken for dead by others."""

import asyncio
from collections.abc import Callable

_BEATS = 8
_LONGEST_SECONDS = 3600.0
"""Between two beats: an infinite time is none that an event loop can wait for."""


class Pulse:
    """A time that is kept up to date. `keep_beating` is its only task."""

    def __init__(self, seconds: float) -> None:
        """To stand still for longer than `seconds` is death."""
        self._seconds = seconds
        self._at = 0.0

    def is_lost(self, now: float) -> bool:
        """Whether the process has stood still, by the event loop's time, until a moment ago."""
        return now - self._at > self._seconds

    def beat(self) -> None:
        """It runs now."""
        self._at = asyncio.get_running_loop().time()

    async def keep_beating(self, on_loss: Callable[[], None]) -> None:
        """Never returns. Calls `on_loss` after the process has stood still."""
        while True:
            if self.is_lost(asyncio.get_running_loop().time()):
                on_loss()
            self.beat()
            await asyncio.sleep(min(self._seconds / _BEATS, _LONGEST_SECONDS))
