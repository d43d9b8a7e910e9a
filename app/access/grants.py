"""What lets the requests of a principal in, until it ends: a key is revoked, a token expires.

That may happen while a stream that it let in is open; its reader is told.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from app.chat.access import Principal


class Grant:
    """Lets requests of a principal in, until it ends."""

    __slots__ = ("__weakref__", "_ends_at", "_listeners", "_timer", "is_over", "principal")

    def __init__(self, principal: Principal, ends_at: float | None = None) -> None:
        """`ends_at`: seconds since 1970, for one that ends by itself."""
        self.principal = principal
        self.is_over = False
        self._ends_at = ends_at
        self._listeners: set[Callable[[], None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, notify: Callable[[], None]) -> None:
        """Call `notify`, which must not raise, when the grant ends."""
        self._listeners.add(notify)
        if self._timer is None and self._ends_at is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0, self._ends_at - time.time()), self.end)

    def unlisten(self, notify: Callable[[], None]) -> None:
        """Undo `listen`."""
        self._listeners.discard(notify)
        if self._timer is not None and not self._listeners:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """Let nobody in any more."""
        self.is_over = True
        for notify in tuple(self._listeners):
            notify()


Verifier = Callable[[str], Awaitable[Grant | None]]
"""Tells what another kind of token opens."""
