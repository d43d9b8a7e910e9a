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
        self.lost_at = seconds
        """From then on, by the event loop's time, it has stood still. A number: each delta is compared to it."""

    def beat(self) -> None:
        """It runs now."""
        self.lost_at = asyncio.get_running_loop().time() + self._seconds

    async def keep_beating(self, on_loss: Callable[[], None]) -> None:
        """Never returns. Calls `on_loss` after the process has stood still."""
        while True:
            if asyncio.get_running_loop().time() > self.lost_at:
                on_loss()
            self.beat()
            await asyncio.sleep(min(self._seconds / _BEATS, _LONGEST_SECONDS))
