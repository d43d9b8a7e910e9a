"""Lines of the log that strangers can cause: for each reason one in a while, with how often it occurred."""

import time
from collections.abc import Callable

_SECONDS = 60.0


class Seldom:
    """Remembers when each reason was told. There are as many as the code has, never one that a request names."""

    def __init__(self, seconds: float = _SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        """Of each reason, one line in so many seconds."""
        self._seconds = seconds
        self._clock = clock
        self._told: dict[str, tuple[float, int]] = {}  # when, and how often since

    def count(self, reason: str) -> int:
        """How many there were since the last line, this one included; 0 if it is not time for another."""
        now = self._clock()
        told_at, since = self._told.get(reason, (now - self._seconds, 0))
        if now - told_at < self._seconds:
            self._told[reason] = told_at, since + 1
            return 0
        self._told[reason] = now, 0
        return since + 1
