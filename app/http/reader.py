"""One response's cursor in a reply's log: waits for new events, for the client to disconnect, or for a deadline.

Where the server can write at once, words leave in the step that added them to the log (`_take`). Otherwise, and for
whatever has to wait, a future wakes the response's task. Besides that, it costs one timer per response and, where the
server does not report a disconnect by itself, one task that watches the connection. It buffers no words: they stay in
the log until they can be sent.
"""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from starlette.types import Receive, Scope

from app.chat.errors import AccessEnded
from app.chat.model import End, Failed
from app.http.immediate import offered
from app.http.joining import Joining
from app.http.reading import ClientGone, Frame, Reading

MAX_WORDS_A_READ = 1024
_TURN_SECONDS = 0.001
"""Words that follow each other faster than this wait for each other, and leave in one send."""

_NEVER = Joining(0)


class Reader:
    """A cursor in the log. An async context manager, so that its task has an owner."""

    __slots__ = (
        "_after",
        "_armed_for",
        "_common",
        "_deadline",
        "_frame",
        "_gone",
        "_grant",
        "_held",
        "_immediate",
        "_joining",
        "_kind",
        "_log",
        "_loop",
        "_measures",
        "_patience_seconds",
        "_receive",
        "_sent_at",
        "_timer",
        "_waiter",
        "_watch",
        "_write",
        "_yielded",
    )

    def __init__(
        self,
        reading: Reading,
        scope: Scope,
        receive: Receive,
        patience_seconds: float,
        joining: Joining | None = None,
    ) -> None:
        """Start at the position of `reading`.

        `receive` is ASGI's, after the body has been read; `patience_seconds` is how long the first `read` waits.
        `joining` says whether words that are written at once wait for the next ones.
        """
        self._immediate = offered(scope)
        self._log = reading.reply.log
        self._measures = reading.replies.measures
        self._kind = reading.kind
        self._sent_at = 0.0
        self._grant = reading.grant
        self._after = reading.after
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._gone = False
        self._frame: Frame | None = None
        self._common = ""
        self._write: Callable[[bytes], bool] | None = None  # while words may leave at once
        self._joining = _NEVER if joining is None or self._immediate is None else joining
        self._held: asyncio.TimerHandle | None = None
        self._patience_seconds = patience_seconds
        self._deadline = self._armed_for = self._loop.time() + patience_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._yielded = False

    async def __aenter__(self) -> Self:
        """Start listening."""
        self._measures.reader_came(self._kind)
        self._log.listen(self._take)
        self._grant.listen(self._wake)
        if self._immediate is not None:
            self._immediate.when_gone(self._leave)
        self._joining.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, and cancel the timer and the task."""
        self._measures.reader_left(self._kind)
        self._log.unlisten(self._take)
        self._grant.unlisten(self._wake)
        if self._timer is not None:
            self._timer.cancel()
        if self._held is not None:
            self._held.cancel()
        self._joining.leave()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None  # it references this reader, and thereby the log

    @property
    def position(self) -> int:
        """How many words have been read."""
        return self._after

    @property
    def is_overdue(self) -> bool:
        """Whether the deadline has passed."""
        return self._loop.time() >= self._due()

    def wait_for(self, patience_seconds: float) -> None:
        """Set the deadline of the next `read` to this long from now, or from the last words written in it."""
        self._patience_seconds = patience_seconds
        self._deadline = self._loop.time() + patience_seconds
        if self._timer is not None and self._deadline < self._armed_for:
            self._timer.cancel()
            self._timer = None

    def write_as(self, frame: Frame, common: str) -> None:
        """From now on, `read` writes words as they are added if the server can; it returns what has to be sent."""
        self._frame, self._common = frame, common

    def framed(self, words: Sequence[str]) -> bytes:
        """The events of the last words that were read."""
        assert self._frame is not None  # noqa: S101 - `write_as` comes first
        return self._frame(self._common, self._after - len(words), words)

    def note_sent(self) -> None:
        """Words were sent."""
        self._note_sent(self._loop.time())

    def _note_sent(self, now: float) -> None:
        if self._sent_at:
            self._measures.sent(now - self._sent_at)
        self._sent_at = now

    async def read(self) -> tuple[Sequence[str], End | None]:
        """Everything available after the cursor; waits until there is something.

        Empty if the deadline passes first, or if the log wakes the reader without new words. An expired grant counts as
        an end, `Failed(AccessEnded)`. Raises `ClientGone`.
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
                # Many short replies are complete after one turn of the event loop, and do not need the task below.
                self._yielded = True
                await asyncio.sleep(0)
                continue
            if self._watch is None and self._immediate is None:
                self._watch = self._loop.create_task(self._watch_connection())
            if has_waited or self.is_overdue:
                return (), None
            if self._timer is None:
                self._arm(self._deadline)
            self._waiter = self._loop.create_future()
            if self._frame is not None and self._immediate is not None:
                self._write = self._immediate.write
            try:
                await self._waiter
            finally:
                self._waiter = self._write = None
            has_waited = True

    def cut_off(self) -> None:
        """Close the connection in the midst of the response, if the server can."""
        if self._immediate is not None:
            self._immediate.cut_off()

    def _take(self, after: int, words: Sequence[str]) -> None:
        """Called by whoever adds to the log, in that step. Nearly every word goes this way, so it is short."""
        write, frame = self._write, self._frame
        if write is not None and frame is not None and after == self._after and 0 < len(words) < MAX_WORDS_A_READ:
            now = self._loop.time()
            since = now - self._sent_at
            is_apart = not self._joining.left(since) if self._joining.is_on else since >= _TURN_SECONDS
            if is_apart and write(frame(self._common, after, words)):
                self._after = after + len(words)
                self._note_sent(now)
                return
        if not words or self._kind == "stream":  # JSON has no words before its end
            self._wake()

    def _wake(self) -> None:
        """Something has been added, or happened."""
        waiter = self._waiter
        if waiter is not None and not waiter.done() and not self._has_held():
            self._write = None
            waiter.set_result(None)

    def _has_held(self) -> bool:
        """Whether there are only words, and they wait for the next ones: the task can go on waiting."""
        if self._write is None or self._gone or self._grant.is_over:
            return False
        wait_seconds = self._joining.left(self._loop.time() - self._sent_at)
        if not wait_seconds:
            return False
        words, end = self._log.read(self._after, MAX_WORDS_A_READ)
        if not 0 < len(words) < MAX_WORDS_A_READ or end is not None:
            return False
        if self._held is None:
            self._held = self._loop.call_later(wait_seconds, self._release)
        return True

    def _release(self) -> None:
        """Send what was held, unless it has left with what came after it."""
        self._held = None
        words, _ = self._log.read(self._after, MAX_WORDS_A_READ)
        if words:
            self._take(self._after, words)

    def _due(self) -> float:
        """The deadline, or what it is since words have left."""
        return max(self._deadline, self._sent_at + self._patience_seconds)

    def _arm(self, at: float) -> None:
        self._armed_for = at
        self._timer = self._loop.call_at(at, self._time_is_up)

    def _time_is_up(self) -> None:
        """Often the deadline has moved: the timer is rescheduled only when it fires, so that a word needs none."""
        due = self._due()
        if self._held is not None:
            due = max(due, self._held.when() + self._patience_seconds)
        if self._loop.time() < due:
            self._arm(due)
            return
        self._timer = None
        self._wake()

    async def _watch_connection(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self._gone = True
        self._wake()
