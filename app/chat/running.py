"""One reply while it is generated and while it is read afterwards: its state, and what may end it."""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Literal

from app.chat.bounds import ReplyBounds
from app.chat.errors import (
    BotTimeout,
    ChatError,
    CursorAhead,
    CursorExpired,
    ReplyElsewhere,
    ReplyInterrupted,
    StorageUnavailable,
)
from app.chat.model import Done, End, Failed, ReplyState, Snapshot
from app.chat.ports import ReplyLog, Store
from app.chat.stored import ReplyRecord
from app.chat.watching import Ending, ReplyObserver, outcome_of

STOPPED = {"cancelled", "abandoned"}

Stopped = Literal["cancelled", "abandoned"]
Verdict = ChatError | Stopped


class RunningReply:
    """A reply that is being generated, or has ended and can still be read."""

    __slots__ = (
        "_held",
        "_saved_words",
        "acknowledged",
        "began_at",
        "first_word_at",
        "heard_at",
        "is_pumping",
        "is_refused",
        "is_remote",
        "is_suspended",
        "leaving",
        "log",
        "observer",
        "readers",
        "record",
        "stored",
        "task",
        "unread_seconds",
        "verdict",
        "watchdog",
    )

    def __init__(self, record: ReplyRecord, log: ReplyLog, unread_seconds: float = 0) -> None:
        """`record` goes to the store, `log` to readers; without readers the reply runs for `unread_seconds`."""
        self.record = record
        self.log = log
        self.unread_seconds = unread_seconds
        self.readers = 0
        self.acknowledged = False  # the store has the message
        self.stored = False  # the store also has the end of the reply
        self.began_at = perf_counter()
        self.first_word_at = 0.0
        self.observer: ReplyObserver | None = None
        self.heard_at = 0.0
        self.task: asyncio.Task[None] | None = None
        self.watchdog: asyncio.TimerHandle | None = None
        self.leaving: asyncio.TimerHandle | None = None
        self._held: list[str] = []  # words held back until the store has the message that they answer
        self._saved_words = 0
        self.verdict: Verdict | None = None  # why it was stopped
        self.is_pumping = False  # its task is reading from the bot
        self.is_refused = False  # the store rejected the message
        self.is_suspended = False  # it is not known whether it is still ours
        self.is_remote = False  # another instance generates it

    @property
    def reply_id(self) -> str:
        """The reply's id."""
        return self.record.reply_id

    @property
    def conversation_id(self) -> str:
        """The id of the conversation that it belongs to."""
        return self.record.conversation_id

    def snapshot(self) -> Snapshot:
        """The reply as its readers see it at this moment."""
        record, end = self.record, self.log.end
        common = (record.reply_id, record.conversation_id)
        match end:
            case None:
                return Snapshot(*common, "running", self.log.text(), len(self.log), usage=record.usage)
            case Done():
                state: ReplyState = "cancelled" if end.finish_reason in STOPPED else "completed"
                return Snapshot(
                    *common,
                    state,
                    end.text,
                    len(self.log),
                    end.finish_reason,
                    end.usage,
                    omitted_messages=end.omitted_messages,
                )
            case Failed():
                state = "interrupted" if isinstance(end.error, ReplyInterrupted) else "failed"
                text = self.log.text()
                return Snapshot(*common, state, text, len(self.log), usage=record.usage, error=end.error)

    def stop(self, verdict: Verdict) -> bool:
        """End the reply now and cancel the bot. Does nothing if it has ended or is being stopped; returns whether."""
        if self.verdict is not None or self.log.end is not None:
            return False
        self.verdict = verdict
        if self.is_pumping and self.task is not None:
            self.task.cancel()
        return True

    def wait_for_reader(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nobody reads it: stop it unless somebody does in time."""
        self.leaving = loop.call_later(self.unread_seconds, self.stop, "abandoned")

    def suspend(self) -> None:
        """Hold words back: this instance stood still, and others may have told the readers that the reply has ended."""
        self.is_suspended = True

    def resume(self) -> None:
        """They have not: release the words held back since `suspend`."""
        self.is_suspended = False
        if self.acknowledged:
            self._release()

    def begin(self, loop: asyncio.AbstractEventLoop, bounds: ReplyBounds) -> None:
        """The bot begins. From now on, stop the reply if it is silent for too long or takes too long in total."""
        if self.verdict is None and self.observer is not None:
            self.observer.began(self.record)
        self.heard_at = loop.time()
        self._watch(loop, bounds.silence_seconds, self.heard_at + bounds.seconds)

    def _watch(self, loop: asyncio.AbstractEventLoop, silence_seconds: float, ends_at: float) -> None:
        """One timer per reply, rescheduled only when it fires, so that a delta costs nothing."""
        due = min(self.heard_at + silence_seconds, ends_at)
        if loop.time() >= due:
            self.stop(BotTimeout())
        else:
            self.watchdog = loop.call_at(due, self._watch, loop, silence_seconds, ends_at)

    def forget_timers(self) -> None:
        """Cancel the timers of a reply that has ended."""
        for timer in (self.watchdog, self.leaving):
            if timer is not None:
                timer.cancel()

    def check_cursor(self, after: int) -> None:
        """Return if a reader can resume after the first `after` words. Raises `CursorAhead` and `CursorExpired`."""
        end = self.log.end
        is_behind = self.is_remote and end is None  # the store may have fewer words than the reader
        if after > len(self.log) and not is_behind:
            if isinstance(end, Failed) and isinstance(end.error, ReplyInterrupted):
                raise CursorExpired  # the word may have existed
            raise CursorAhead

    def take_receipt(self, saved: "asyncio.Future[None]") -> None:
        """Callback for the store's answer to saving the message."""
        error = saved.exception()
        if error is None:
            self.acknowledge()
        else:
            self.refuse(error if isinstance(error, ChatError) else StorageUnavailable())

    def acknowledge(self) -> None:
        """The store has the message: release the words held back so far."""
        if not self.acknowledged:
            self.acknowledged = True
            if not self.is_suspended:
                self._release()

    def refuse(self, error: ChatError) -> None:
        """The store rejected the message. No word has been sent, so the reply simply fails with this error."""
        if not self.acknowledged:
            self.is_refused = True
            self.stop(error)

    def save_progress(self, store: Store) -> None:
        """Save the words since the last call, in case the process dies before the reply ends."""
        if self.acknowledged and len(self.log) > self._saved_words and self.record.state == "running":
            self._saved_words = len(self.log)
            self.record_text()
            store.save(self.record).add_done_callback(self._look)

    def _look(self, saved: "asyncio.Future[None]") -> None:
        """A failed save is retried with the next one, unless this instance no longer owns the reply."""
        if isinstance(saved.exception(), ReplyElsewhere):
            self.stop(ReplyInterrupted())

    def emit(self, words: Sequence[str]) -> None:
        """Add words that the bot has generated."""
        if self.acknowledged and not self.is_suspended:
            if not self.first_word_at:
                self._note_first_word()
            self.log.append(words)
        else:
            self._held += words

    def _release(self) -> None:
        if self.log.end is None:
            if self._held and not self.first_word_at:
                self._note_first_word()
            self.log.append(self._held)  # also if there are none: readers wait for the acknowledgement as well
            self._held = []

    def _note_first_word(self) -> None:
        self.first_word_at = perf_counter()
        if self.observer is not None:
            self.observer.first_word(self.record, self.first_word_at - self.began_at)

    def ending(self, end: End) -> Ending:
        """How it has ended, for observers."""
        outcome, error = outcome_of(end)
        first = self.first_word_at - self.began_at if self.first_word_at else None
        return Ending(outcome, error, len(self.log), perf_counter() - self.began_at, first)

    def text(self) -> str:
        """The whole text so far."""
        return self.log.text() + "".join(self._held)

    def record_text(self) -> None:
        """Add to the record what is new since the last call."""
        record, in_log = self.record, len(self.log)
        words, _ = self.log.read(record.words, in_log)
        held = self._held[max(record.words - in_log, 0) :]
        record.text += "".join(words) + "".join(held)
        record.words = in_log + len(self._held)
