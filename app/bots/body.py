"""The body of an engine's response, read with patience."""

import asyncio
from types import TracebackType
from typing import Self

import aiohttp

from app.chat.errors import BotFailed, BotTimeout

_LOOK_SECONDS = 1.0
"""aiohttp closes the connection when a chunk's framing is broken, but does not tell the one who reads: so look."""

_MAX_BYTES = 2**22


class Body:
    """A context manager: one timer lives inside it. It is moved only when it fires, so that a token costs none."""

    def __init__(self, response: aiohttp.ClientResponse, patience_seconds: float) -> None:
        """Each `read` may take `patience_seconds`."""
        self._response = response
        self._patience_seconds = patience_seconds
        self._loop = asyncio.get_running_loop()
        self._reading = False
        self._deadline = self._armed_for = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up at once, unless all was read and the connection can be used again."""
        if self._timer is not None:
            self._timer.cancel()
        self._response.release() if self.is_over else self._response.close()

    @property
    def is_over(self) -> bool:
        """Whether all was read."""
        return self._response.content.at_eof()

    async def read(self, seconds: float | None = None) -> bytes:
        """All that has come since the last time; nothing at the end.

        Raises `BotTimeout` if nothing comes in time, or within `seconds`, and `BotFailed`.
        """
        self._deadline = self._loop.time() + (self._patience_seconds if seconds is None else seconds)
        if self._timer is None or self._deadline < self._armed_for:
            self._arm()
        self._reading = True
        try:
            return await self._response.content.readany()
        except TimeoutError:
            raise BotTimeout from None
        except aiohttp.ClientError:
            raise BotFailed from None
        finally:
            self._reading = False

    async def read_all(self) -> bytes:
        """A body that is no stream. Raises as `read` does, and `BotFailed` for one that is too large."""
        body = b""
        while piece := await self.read():
            body += piece
            if len(body) > _MAX_BYTES:
                raise BotFailed
        return body

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = min(self._deadline, self._loop.time() + _LOOK_SECONDS)
        self._timer = self._loop.call_at(self._armed_for, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._reading:
            connection = self._response.connection
            if connection is None or connection.closed:
                self._response.content.set_exception(aiohttp.ClientPayloadError())
            elif self._loop.time() >= self._deadline:
                self._response.content.set_exception(TimeoutError())
            else:
                self._arm()
