"""One reply while it is generated, and afterwards while it is still read: what is known of it, and what may end it."""

import asyncio
from collections.abc import Sequence
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
from app.chat.model import Done, Failed, ReplyRecord, ReplyState, Snapshot
from app.chat.ports import ReplyLog, Store

STOPPED = {"cancelled", "abandoned"}

Stopped = Literal["cancelled", "abandoned"]
Verdict = ChatError | Stopped


class RunningReply:
    """A reply that is being made, or that was and may still be read."""

    __slots__ = (
        "_held",
        "_saved_words",
        "acknowledged",
        "heard_at",
        "is_pumping",
        "is_refused",
        "leaving",
        "log",
        "readers",
        "record",
        "stored",
        "task",
        "unread_seconds",
        "verdict",
        "watchdog",
    )

    def __init__(self, record: ReplyRecord, log: ReplyLog, unread_seconds: float = 0) -> None:
        """`record` is what the store gets, `log` what readers read; without readers it lasts `unread_seconds`."""
        self.record = record
        self.log = log
        self.unread_seconds = unread_seconds
        self.readers = 0
        self.acknowledged = False  # the store has the message
        self.stored = False  # and the end of the reply
        self.heard_at = 0.0
        self.task: asyncio.Task[None] | None = None
        self.watchdog: asyncio.TimerHandle | None = None
        self.leaving: asyncio.TimerHandle | None = None
        self._held: list[str] = []  # words that nobody may see before the store has the message that they answer
        self._saved_words = 0
        self.verdict: Verdict | None = None  # what has stopped it
        self.is_pumping = False  # its task waits for the bot
        self.is_refused = False  # the store did not take the message

    @property
    def reply_id(self) -> str:
        """The reply's name."""
        return self.record.reply_id

    @property
    def conversation_id(self) -> str:
        """What it belongs to."""
        return self.record.conversation_id

    def snapshot(self) -> Snapshot:
        """The reply as its readers know it at this moment."""
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

    def stop(self, verdict: Verdict) -> None:
        """End the reply now; the bot is cancelled. Does nothing to a reply that ends already."""
        if self.verdict is None and self.log.end is None:
            self.verdict = verdict
            if self.is_pumping and self.task is not None:
                self.task.cancel()

    def watch(self, loop: asyncio.AbstractEventLoop, bounds: ReplyBounds) -> None:
        """Stop it as soon as it is silent for too long or takes too long, from now on."""
        self.heard_at = loop.time()
        self._watch(loop, bounds.silence_seconds, self.heard_at + bounds.seconds)

    def _watch(self, loop: asyncio.AbstractEventLoop, silence_seconds: float, ends_at: float) -> None:
        """One timer a reply, moved only when it fires, so that a delta costs nothing."""
        due = min(self.heard_at + silence_seconds, ends_at)
        if loop.time() >= due:
            self.stop(BotTimeout())
        else:
            self.watchdog = loop.call_at(due, self._watch, loop, silence_seconds, ends_at)

    def forget_timers(self) -> None:
        """Nothing can stop it any more: it has ended."""
        for timer in (self.watchdog, self.leaving):
            if timer is not None:
                timer.cancel()

    def check_cursor(self, after: int) -> None:
        """Return if a reader can go on behind the first `after` words. Raises `CursorAhead` and `CursorExpired`."""
        if after > len(self.log):
            end = self.log.end
            if isinstance(end, Failed) and isinstance(end.error, ReplyInterrupted):
                raise CursorExpired  # there may have been such a word
            raise CursorAhead

    def take_receipt(self, saved: "asyncio.Future[None]") -> None:
        """The store has answered whether it has the message."""
        error = saved.exception()
        if error is None:
            self.acknowledge()
        else:
            self.refuse(error if isinstance(error, ChatError) else StorageUnavailable())

    def acknowledge(self) -> None:
        """The store has the message: let the readers see what there is."""
        if not self.acknowledged:
            self.acknowledged = True
            self.log.append(self._held)
            self._held = []

    def refuse(self, error: ChatError) -> None:
        """The store does not take the message: nothing has been promised, and all there is to tell is why."""
        if not self.acknowledged:
            self.is_refused = True
            self.stop(error)

    def save_progress(self, store: Store) -> None:
        """Save what has been said since the last time, for the case that there will be no end."""
        if self.acknowledged and len(self.log) > self._saved_words and self.record.state == "running":
            self._saved_words = len(self.log)
            self.record_text()
            store.save(self.record).add_done_callback(self._look)

    def _look(self, saved: "asyncio.Future[None]") -> None:
        """Progress that could not be saved is saved the next time, unless the reply is not ours any more."""
        if isinstance(saved.exception(), ReplyElsewhere):
            self.stop(ReplyInterrupted())

    def emit(self, words: Sequence[str]) -> None:
        """The bot has said these."""
        if self.acknowledged:
            self.log.append(words)
        else:
            self._held += words

    def text(self) -> str:
        """All that was said so far."""
        return self.log.text() + "".join(self._held)

    def record_text(self) -> None:
        """Put what was said so far into the record."""
        self.record.text = self.text()
        self.record.words = len(self.log) + len(self._held)
