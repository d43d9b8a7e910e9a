"""Makes one reply: carries a bot's deltas, as words, into the reply's log; what is told there is stored first."""

import asyncio
import logging
import traceback
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from app.chat.errors import BotBroken, BotTimeout, ChatError, MessageRefused, ReplyElsewhere, ReplyInterrupted
from app.chat.model import Conversation, Done, Failed, Finish, ReplyRecord, ReplyState, Snapshot, Usage
from app.chat.ports import Bot, ReplyLog, Store
from app.chat.text import Normaliser
from app.chat.words import WordSplitter

_DELTAS_A_TURN = 64
"""After so many deltas the producer lets others run: a bot that always has more must not starve them."""

_SAID_ALL = Finish("stop")
_STOPPED = {"cancelled", "abandoned"}

_logger = logging.getLogger(__name__)

Stopped = Literal["cancelled", "abandoned"]
Verdict = ChatError | Stopped


@dataclass(frozen=True, slots=True)
class ReplyBounds:
    """What one reply may cost."""

    characters: int
    silence_seconds: float
    seconds: float


class RunningReply:
    """A reply that is being made, or that was and may still be read."""

    __slots__ = (
        "_held",
        "_pumping",
        "_refused",
        "_saved_words",
        "_verdict",
        "acknowledged",
        "heard_at",
        "leaving",
        "log",
        "readers",
        "record",
        "stored",
        "task",
        "unread_seconds",
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
        self._pumping = False
        self._refused = False
        self._saved_words = 0
        self._verdict: Verdict | None = None

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
                state: ReplyState = "cancelled" if end.finish_reason in _STOPPED else "completed"
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
        if self._verdict is None and self.log.end is None:
            self._verdict = verdict
            if self._pumping and self.task is not None:
                self.task.cancel()

    def acknowledge(self) -> None:
        """The store has the message: let the readers see what there is."""
        if not self.acknowledged:
            self.acknowledged = True
            self.log.append(self._held)
            self._held = []

    def refuse(self, error: ChatError) -> None:
        """The store does not take the message: nothing has been promised, and all there is to tell is why."""
        if not self.acknowledged:
            self._refused = True
            self.stop(error)

    def save_progress(self, store: Store) -> None:
        """Save what has been said since the last time, for the case that there will be no end."""
        if self.acknowledged and len(self.log) > self._saved_words and self.record.state == "running":
            self._saved_words = len(self.log)
            self._record_text()
            store.save(self.record).add_done_callback(self._look)

    def _look(self, saved: "asyncio.Future[None]") -> None:
        """Progress that could not be saved is saved the next time, unless the reply is not ours any more."""
        if isinstance(saved.exception(), ReplyElsewhere):
            self.stop(ReplyInterrupted())

    async def produce(self, bot: Bot, conversation: Conversation, bounds: ReplyBounds, store: Store) -> None:
        """Make the reply, store it, and end its log. The body of `task`."""
        finish = _SAID_ALL
        error: ChatError | None = None
        try:
            if self._verdict is None:
                self._pumping = True
                finish = await self._pump(bot, conversation, bounds)
        except (
            BaseException
        ) as raised:  # a bot is other people's code: whatever it raises ends its reply, and only that
            if not self._is_cancelled():
                error = _told(raised)
            elif self._verdict is None:
                raise  # not our doing: the loop itself is coming down
        self._pumping = False
        match self._verdict:
            case None:
                pass
            case "cancelled" | "abandoned" as reason:
                finish, error = Finish(reason, self.record.usage), None
            case ChatError() as stopped_by:
                error = stopped_by
        await self._finish(finish, error, store)

    def _is_cancelled(self) -> bool:
        return self.task is not None and self.task.cancelling() > 0

    async def _pump(self, bot: Bot, conversation: Conversation, bounds: ReplyBounds) -> Finish:
        """Carry the bot's deltas into the log, as words."""
        normaliser = Normaliser()
        splitter = WordSplitter()
        now = asyncio.get_running_loop().time
        room = bounds.characters
        turns = 0
        try:
            async with aclosing(bot.reply(conversation)) as deltas:
                async for delta in deltas:
                    if self._verdict is not None:
                        break  # the bot would not be cancelled
                    self.heard_at = now()
                    if not isinstance(delta, str):
                        if isinstance(delta, Finish):
                            return delta
                        if isinstance(delta, Usage):
                            self.record.usage = delta
                            continue
                    text = normaliser.feed(delta)
                    room -= len(text)
                    if room < 0:
                        self._emit(_fitting(splitter.feed(text), bounds.characters - len(self._text())))
                        normaliser, splitter = Normaliser(), WordSplitter()  # what they still hold does not fit
                        return Finish("length")
                    words = splitter.feed(text)
                    if words:
                        self._emit(words)
                    turns += 1
                    if turns % _DELTAS_A_TURN == 0:
                        await asyncio.sleep(0)
        finally:
            # Also when the bot breaks off: what it said is the reader's.
            rest = normaliser.flush()
            words = splitter.feed(rest) if rest else []
            words += splitter.flush()
            if words:
                self._emit(words)
        return _SAID_ALL

    def _emit(self, words: Sequence[str]) -> None:
        if self.acknowledged:
            self.log.append(words)
        else:
            self._held += words

    def _text(self) -> str:
        """All that was said so far."""
        return self.log.text() + "".join(self._held)

    def _record_text(self) -> None:
        self.record.text = self._text()
        self.record.words = len(self.log) + len(self._held)

    async def _finish(self, finish: Finish, error: ChatError | None, store: Store) -> None:
        """Store the end, then tell it: what was told is never lost."""
        record = self.record
        self._record_text()
        if error is not None:
            record.state, record.error_code = "failed", error.code
        else:
            record.state = "cancelled" if finish.reason in _STOPPED else "completed"
            record.finish_reason, record.usage = finish.reason, finish.usage or record.usage
        if not self._refused:
            try:
                await store.save(record)
            except ReplyElsewhere as lost:
                error = error or (ReplyInterrupted() if self.acknowledged else _told(lost))
            except ChatError as unsaved:
                error = error or _told(unsaved)
            else:
                self.stored = True
                self.acknowledge()
        self.log.close(
            Done(record.text, finish.reason, record.usage, finish.omitted_messages) if error is None else Failed(error)
        )


def _told(error: BaseException) -> ChatError:
    """What the reader is told: a new error, for the one that was raised holds on to all it came through."""
    match error:
        case MessageRefused():
            return MessageRefused(error.reason)
        case ChatError():
            return type(error)(retry_after_seconds=error.retry_after_seconds)
        case TimeoutError():
            return BotTimeout()
        case _:
            # Frames only: the text of an exception may hold what the user or the model said.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("the bot raised %s\n%s", type(error).__qualname__, frames)
            return BotBroken()


def _fitting(words: list[str], room: int) -> list[str]:
    """As many of the words as have `room` characters at most."""
    for index, word in enumerate(words):
        room -= len(word)
        if room < 0:
            return words[:index]
    return words
