"""Reads the body of an engine's response, with a limit on silence."""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from app.bots.trouble import Trouble
from app.chat.errors import BotFailed, BotTimeout

_LOOK_SECONDS = 1.0
"""aiohttp closes the connection on broken chunk framing without telling the reader, so the connection is polled."""

_MAX_BYTES = 2**22
_CUT = "the connection was cut"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a silence may last, and the setting that defines it."""

    seconds: float
    setting: str = ""


class Body:
    """A context manager that owns one timer, which is rescheduled only when it fires, so that a token costs nothing.

    Must be read by a single task.
    """

    def __init__(self, response: aiohttp.ClientResponse, look_seconds: float) -> None:
        """A `read` returns after at most about `look_seconds`."""
        self._response = response
        self._content = response.content
        self._look_seconds = look_seconds
        self._loop = asyncio.get_running_loop()
        self._is_reading = False
        self._was_nudged = False
        self._read_at = self._deadline = self._armed_for = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0

    def __enter__(self) -> Self:
        """Start reading."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, unless the body was read to its end and the connection can be reused."""
        if self._timer is not None:
            self._timer.cancel()
        self._response.release() if self.is_over else self._response.close()

    @property
    def is_over(self) -> bool:
        """Whether the body was read to its end."""
        return self._content.at_eof()

    async def read(self, patience: Patience) -> bytes | None:
        """The bytes received since the last call; empty at the end; `None` if nothing came within `look_seconds`.

        Raises `Trouble` if the silence lasts too long or the connection is cut.
        """
        self._read_at = now = self._loop.time()
        if not self._was_nudged:
            self._deadline = now + patience.seconds
        self._was_nudged = False
        if self._timer is None or self._deadline < self._armed_for:
            self._task = asyncio.current_task()
            self._arm(now)
        if self._task is not None:
            self._cancelling = self._task.cancelling()  # any cancellation after this but the own one is from outside
        self._is_reading = True
        try:
            return await self._content.readany()
        except asyncio.CancelledError:
            if self._was_nudged and self._task is not None and self._task.uncancel() <= self._cancelling:
                return None
            raise
        except TimeoutError:
            what = f"it was silent for {patience.seconds:g} s"
            raise Trouble(BotTimeout(), what, patience.setting and f"raise {patience.setting}") from None
        except (aiohttp.ClientError, RuntimeError):  # RuntimeError: it was closed before this read began
            raise Trouble(BotFailed(), _CUT, "check the logs of the engine and of proxies in front of it") from None
        finally:
            self._is_reading = False

    async def read_all(self, patience: Patience) -> bytes:
        """The whole body. Raises `Trouble` as `read` does, and for a body that is too large."""
        body = b""
        while (piece := await self.read(patience)) != b"":
            body += piece or b""
            if len(body) > _MAX_BYTES:
                raise Trouble(BotFailed(), f"its response is longer than {_MAX_BYTES} bytes")
        return body

    def _arm(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = min(self._deadline, now + min(_LOOK_SECONDS, self._look_seconds))
        self._timer = self._loop.call_at(self._armed_for, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._is_reading or self._task is None:
            return
        now = self._loop.time()
        connection = self._response.connection
        if connection is None or connection.closed:
            self._content.set_exception(aiohttp.ClientPayloadError())
        elif now >= self._deadline:
            self._content.set_exception(TimeoutError())
        elif now >= self._read_at + self._look_seconds:
            self._was_nudged = True  # interrupts the read like `asyncio.timeout` does
            self._task.cancel()
        else:
            self._arm(now)
