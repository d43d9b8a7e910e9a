"""Timers of a connection, each at most once: what is to happen if a client is too slow."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """With clients, in seconds."""

    head: float
    """How long a head may take; and the rest of a body that nobody wants any more."""
    stalled: float
    """How long a client may take no byte of its answer."""


class Deadline:
    """For what is being read."""

    __slots__ = ("_loop", "_seconds", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Not set yet."""
        self._loop = loop
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        """Whether something has to arrive."""
        return self._timer is not None

    def set(self, too_late: Callable[[], None]) -> None:
        """Call that when the time is up; from now on, and instead of what was set before."""
        self.cancel()
        self._timer = self._loop.call_later(self._seconds, too_late)

    def cancel(self) -> None:
        """It has arrived."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class StallWatch:
    """For a client that takes no byte of what was written to it."""

    __slots__ = ("_loop", "_seconds", "_timer", "_transport", "_untaken")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, seconds: float) -> None:
        """Not looking yet."""
        self._loop = loop
        self._transport = transport
        self._seconds = seconds
        self._untaken = 0
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """From now on, if there is anything to take."""
        self.cancel()
        self._untaken = self._transport.get_write_buffer_size()
        if self._untaken:
            self._timer = self._loop.call_later(self._seconds, self._look_again)

    def cancel(self) -> None:
        """The client takes what is written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_again(self) -> None:
        """A slow client may be slow. One that has taken no byte since the last look is cut off."""
        if self._transport.get_write_buffer_size() >= self._untaken:
            self._transport.abort()
        else:
            self.look()
