"""The queue in front of an engine: a limited number of concurrent replies, the others in order of arrival."""

import asyncio
import math
from collections import deque

from app.chat.errors import BotBusy


class Line:
    """A bounded FIFO queue. Each `enter` that returns must be paired with a `leave`."""

    def __init__(self, places: int, waiting: int, seconds: float) -> None:
        """`places` may be taken at once; at most `waiting` wait for one, each for at most `seconds`."""
        self._free = places
        self._most_waiting = waiting
        self._seconds = seconds
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for a free place. Raises `BotBusy`, at once if too many are waiting, or when the wait is too long."""
        if self._free:
            self._free -= 1
            return
        if sum(not turn.done() for turn in self._waiting) >= self._most_waiting:
            raise BotBusy(retry_after_seconds=max(1, math.ceil(self._seconds)))
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # its turn came at the same moment
            else:
                turn.cancel()
            if isinstance(error, TimeoutError):
                raise BotBusy(retry_after_seconds=max(1, math.ceil(self._seconds))) from None
            raise

    def leave(self) -> None:
        """Let the next one in."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
