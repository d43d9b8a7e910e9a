"""The line in front of an engine: so many replies at once, the others in the order in which they came."""

import asyncio
import math
from collections import deque

from app.chat.errors import BotBusy


class Line:
    """Knows no HTTP. Who has entered leaves."""

    def __init__(self, places: int, waiting: int, seconds: float) -> None:
        """At most `waiting` wait, each for at most `seconds`."""
        self._free = places
        self._most_waiting = waiting
        self._seconds = seconds
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Return when it is one's turn. Raises `BotBusy` at once if too many wait, and when it takes too long."""
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
                self.leave()  # it was one's turn in the very moment
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
