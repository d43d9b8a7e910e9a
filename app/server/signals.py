"""What uvicorn waits with, in less memory: it makes two `asyncio.Event`s for a connection, of more than 1 KB each."""

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl


class Signal:
    """Has the methods of `asyncio.Event`, and a list of those who wait only while there are any."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self, *, is_set: bool = False) -> None:
        """Nobody waits yet."""
        self._is_set = is_set
        self._waiters: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        """Whether `wait` returns at once."""
        return self._is_set

    def set(self) -> None:
        """Wake all who wait."""
        self._is_set = True
        for waiter in self._waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Let all who come from now on wait."""
        self._is_set = False

    async def wait(self) -> bool:
        """Return when it is set, or has been since the call."""
        if not self._is_set:
            waiter = asyncio.get_running_loop().create_future()
            waiters = self._waiters = self._waiters or []
            waiters.append(waiter)
            try:
                await waiter
            finally:
                waiters.remove(waiter)
                if not waiters:
                    self._waiters = None
        return True


class Flow(FlowControl):
    """uvicorn's, with a `Signal`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Writing is possible."""
        super().__init__(transport)
        self._is_writable_event = Signal(is_set=True)  # type: ignore[assignment]  # has its methods
