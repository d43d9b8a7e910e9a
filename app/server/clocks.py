"""A connection's timers, for clients that are too slow."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits for clients, in seconds."""

    head: float
    """How long the head of a request may take, and the rest of a body that is no longer needed."""
    stalled: float
    """How long a client may read no byte of its response."""
    cut: Callable[[], None] = lambda: None
    """Called when a client is disconnected because of that."""


class Deadline:
    """A timer for what is being read."""

    __slots__ = ("_loop", "_seconds", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Start unset."""
        self._loop = loop
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        """Whether the timer is running."""
        return self._timer is not None

    def set(self, too_late: Callable[[], None]) -> None:
        """Start the timer, replacing an earlier one; it calls `too_late`."""
        self.cancel()
        self._timer = self._loop.call_later(self._seconds, too_late)

    def cancel(self) -> None:
        """Stop the timer: the data has arrived."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class StallWatch:
    """A timer for a client that reads nothing of what was written to it."""

    __slots__ = ("_loop", "_patience", "_timer", "_transport", "_untaken")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, patience: Patience) -> None:
        """Start inactive."""
        self._loop = loop
        self._transport = transport
        self._patience = patience
        self._untaken = 0
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Start watching, if there is unread data."""
        self.cancel()
        self._untaken = self._transport.get_write_buffer_size()
        if self._untaken:
            self._timer = self._loop.call_later(self._patience.stalled, self._look_again)

    def cancel(self) -> None:
        """Stop watching: the client reads."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_again(self) -> None:
        """A client may be slow, but one that has read nothing since the last look is disconnected."""
        if self._transport.get_write_buffer_size() >= self._untaken:
            self._transport.abort()
            self._patience.cut()
        else:
            self.look()
