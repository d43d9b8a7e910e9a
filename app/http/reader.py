"""One response's place in a reply's log: waits for news of the reply, for the client to go, or for time to pass.

Costs one future a wait, one timer a response, and, only once there is something to wait for, one task that watches the
connection. It never holds words: they stay in the log until they can be sent.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from starlette.types import Receive

from app.access.grants import Grant
from app.chat.errors import AccessEnded
from app.chat.model import End, Failed
from app.chat.replies import Replies
from app.chat.running import RunningReply

MAX_WORDS_A_READ = 1024


class ClientGone(Exception):
    """The client closed the connection."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Who reads what: the reply, what lets its reader in, and how many words that one has had."""

    replies: Replies
    reply: RunningReply
    grant: Grant
    after: int = 0

    def leave(self) -> None:
        """The reader is gone."""
        self.replies.leave(self.reply)


class Reader:
    """A cursor. An async context manager, so that its task has an owner."""

    __slots__ = (
        "_after",
        "_armed_for",
        "_deadline",
        "_gone",
        "_grant",
        "_log",
        "_loop",
        "_receive",
        "_timer",
        "_waiter",
        "_watch",
        "_yielded",
    )

    def __init__(self, reading: Reading, receive: Receive, patience_seconds: float) -> None:
        """Start where the reading does.

        `receive` is ASGI's, with the body already taken; `patience_seconds` is how long the first `read` waits.
        """
        self._log = reading.reply.log
        self._grant = reading.grant
        self._after = reading.after
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._gone = False
        self._deadline = self._armed_for = self._loop.time() + patience_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._yielded = False

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._log.listen(self._wake)
        self._grant.listen(self._wake)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind."""
        self._log.unlisten(self._wake)
        self._grant.unlisten(self._wake)
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None  # it holds on to this reader, and so to the log

    @property
    def position(self) -> int:
        """How many words were read."""
        return self._after

    @property
    def is_overdue(self) -> bool:
        """Whether the deadline has passed."""
        return self._loop.time() >= self._deadline

    def wait_for(self, patience_seconds: float) -> None:
        """Let the next `read` wait so long, from now."""
        self._deadline = self._loop.time() + patience_seconds
        if self._timer is not None and self._deadline < self._armed_for:
            self._timer.cancel()
            self._timer = None

    async def read(self) -> tuple[Sequence[str], End | None]:
        """All that is ready behind the cursor; waits until there is something.

        Nothing, if the deadline passes first, or the log has news without words. Raises `ClientGone`.
        When the grant is over, that is the end.
        """
        has_waited = False
        while True:
            if self._grant.is_over:
                return (), Failed(AccessEnded())
            words, end = self._log.read(self._after, MAX_WORDS_A_READ)
            if words or end is not None:
                self._after += len(words)
                return words, end
            if self._gone:
                raise ClientGone
            if not self._yielded:
                # Many short replies are there after one turn of the loop; they are spared the task below.
                self._yielded = True
                await asyncio.sleep(0)
                continue
            if self._watch is None:
                self._watch = self._loop.create_task(self._watch_connection())
            if has_waited or self.is_overdue:
                return (), None
            if self._timer is None:
                self._armed_for = self._deadline
                self._timer = self._loop.call_at(self._deadline, self._time_is_up)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
            has_waited = True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _time_is_up(self) -> None:
        """The deadline has often moved on meanwhile: a timer is moved only when it fires, so that a word costs none."""
        if self._loop.time() >= self._deadline:
            self._timer = None
            self._wake()
        else:
            self._armed_for = self._deadline
            self._timer = self._loop.call_at(self._deadline, self._time_is_up)

    async def _watch_connection(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._wake()
