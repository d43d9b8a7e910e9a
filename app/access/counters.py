"""Counters for the `limits` library, in this process's memory.

Its own keep all clients in one table and look through it with every request; here a request costs the same however many
clients there are. Windows of one length end in the order in which they began, so those that are over are at the front.
"""

import time
from collections import OrderedDict

from limits.aio.storage import Storage

_MOST_CLIENTS = 100_000
"""Of each length of window. With more, those go whose window ends first."""

_FORGOTTEN_AT_ONCE = 8
"""With each request, so many windows go that are over: after a flood, no single one has to clear up behind it."""


class FlatCounters(Storage):
    """For fixed windows, which begin with a client's first request."""

    def __init__(self) -> None:
        """Nothing has been counted."""
        super().__init__()
        # By length, by client: when it ends, and how many. (Of a plain dict, to take the first ones costs ever more.)
        self._windows: dict[float, OrderedDict[str, tuple[float, int]]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        """None that would be ours."""
        return ValueError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """See `add`."""
        return self.add(key, expiry, amount)

    def add(self, key: str, expiry: float, amount: int) -> int:
        """Count, in a window of `expiry` seconds. Returns how many there are now."""
        now = self.now()
        window = self._windows.setdefault(expiry, OrderedDict())
        ends_at, count = window.get(key, (now, 0))
        if ends_at <= now:
            window.pop(key, None)
            self._make_room(window, now)
            ends_at, count = now + expiry, 0
        window[key] = ends_at, count + amount
        return count + amount

    def put(self, key: str, expiry: float, seconds: float, count: int) -> None:
        """Set what there is of a window of `expiry` seconds; one that is not known yet ends in so many `seconds`."""
        now = self.now()
        window = self._windows.setdefault(expiry, OrderedDict())
        ends_at, _ = window.get(key, (now, 0))
        if ends_at <= now:
            window.pop(key, None)
            self._make_room(window, now)
            ends_at = now + seconds
        if ends_at > now:
            window[key] = ends_at, count

    def is_over(self, key: str, expiry: float) -> bool:
        """Whether there was a window of `expiry` seconds that has ended."""
        window = self._windows.get(expiry)
        return window is not None and key in window and window[key][0] <= self.now()

    def window(self, key: str) -> tuple[float, int]:
        """When it ends, by the clock of `now`, and how many there are in it."""
        return self._find(key)

    async def get(self, key: str) -> int:
        """How many there are."""
        return self._find(key)[1]

    def now(self) -> float:
        """Seconds on a clock that only goes forward: when the machine's is set, windows stay as long as they are."""
        return time.monotonic()

    async def get_expiry(self, key: str) -> float:
        """When the window ends, by the clock of `now`."""
        return self._find(key)[0]

    async def check(self) -> bool:
        """Whether it can count."""
        return True

    async def reset(self) -> int | None:
        """Forget all."""
        self._windows.clear()
        return None

    async def clear(self, key: str) -> None:
        """Forget one."""
        for window in self._windows.values():
            window.pop(key, None)

    def _make_room(self, window: "OrderedDict[str, tuple[float, int]]", now: float) -> None:
        for _ in range(min(_FORGOTTEN_AT_ONCE, len(window))):
            if len(window) < _MOST_CLIENTS and next(iter(window.values()))[0] > now:
                return
            window.popitem(last=False)

    def _find(self, key: str) -> tuple[float, int]:
        now = self.now()
        for window in self._windows.values():
            if key in window and window[key][0] > now:
                return window[key]
        return now, 0
