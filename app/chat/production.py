"""Generates one reply: turns a bot's deltas into words in the reply's log; the end is stored before readers see it.

The way of a word, from here to the client, has no task between: `produce` takes a delta, `_Said` makes words of it, the
reply's log tells its listeners, and `app.http.reader` writes their frame to the connection, all in one step.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable
from contextlib import aclosing, closing
from dataclasses import replace

from app.chat.bounds import ReplyBounds
from app.chat.errors import BotBroken, BotTimeout, ChatError, MessageRefused, ReplyElsewhere, ReplyInterrupted
from app.chat.model import Done, Failed, Finish, Usage
from app.chat.ports import Deltas, Saver
from app.chat.pulse import Pulse
from app.chat.running import STOPPED, RunningReply
from app.chat.text import Normaliser
from app.chat.words import WordSplitter

_DELTAS_A_TURN = 64
"""After this many deltas the producer yields to the event loop, so that a fast bot does not starve other tasks."""

_SAID_ALL = Finish("stop")

BotSays = Callable[[], Deltas]
"""Asks the bot. Whatever that raises ends the reply and nothing else."""

_logger = logging.getLogger(__name__)


async def produce(reply: RunningReply, bot_says: BotSays, bounds: ReplyBounds, store: Saver, pulse: Pulse) -> None:
    """Make a reply of the bot's deltas, store it, and end its log. The body of its `task`."""
    said = _Said(reply, bounds.characters)
    loop = asyncio.get_running_loop()
    reply.begin(loop, bounds)
    turns = 0
    error: ChatError | None = None
    try:
        if reply.verdict is None:
            reply.is_pumping = True
            with closing(said):
                async with aclosing(bot_says()) as deltas:
                    async for delta in deltas:
                        reply.heard_at = heard_at = loop.time()
                        if heard_at > pulse.lost_at:
                            reply.suspend()
                        if not said.take(delta):
                            break
                        turns += 1
                        if turns % _DELTAS_A_TURN == 0:
                            await asyncio.sleep(0)
    except BaseException as raised:  # a bot is third-party code: whatever it raises ends its own reply and nothing else
        if not _is_cancelled(reply):
            error = _told(raised)
        elif reply.verdict is None:
            raise  # cancelled from outside: the event loop is shutting down
    reply.is_pumping = False
    await _finish(reply, *_verdict(reply, said.finish, error), store)


def _verdict(reply: RunningReply, finish: Finish, error: ChatError | None) -> tuple[Finish, ChatError | None]:
    """How it ends: as the bot has ended it, or as others have."""
    match reply.verdict:
        case None:
            return finish, error
        case "cancelled" | "abandoned" as reason:
            return Finish(reason, reply.record.usage), None
        case ChatError() as stopped_by:
            return finish, stopped_by


class _Said:
    """What the bot has said so far: its deltas, as words in the reply's log."""

    __slots__ = ("_characters", "_normaliser", "_reply", "_room", "_splitter", "finish")

    def __init__(self, reply: RunningReply, characters: int) -> None:
        """Nothing yet; of at most so many characters."""
        self._reply = reply
        self._characters = self._room = characters
        self._normaliser, self._splitter = Normaliser(), WordSplitter()
        self.finish = _SAID_ALL

    def take(self, delta: str | Finish | Usage) -> bool:
        """Add the words that the delta completes. Returns whether there may be more of them."""
        if self._reply.verdict is not None:
            return False  # the bot ignored its cancellation
        if not isinstance(delta, str):
            if isinstance(delta, Usage):
                self._reply.record.usage = delta
                return True
            if isinstance(delta, Finish):
                self.finish = delta
                return False
        text = self._normaliser.feed(delta)
        self._room -= len(text)
        if self._room < 0:
            self._reply.emit(_fitting(self._splitter.feed(text), self._characters - len(self._reply.text())))
            self._normaliser, self._splitter = Normaliser(), WordSplitter()  # what they still buffer does not fit
            self.finish = Finish("length")
            return False
        words = self._splitter.feed(text)
        if words:
            self._reply.emit(words)
        return True

    def close(self) -> None:
        """It has ended or broken off. Readers get all that it has generated, unless others have told them the end."""
        if isinstance(self._reply.verdict, ReplyInterrupted):
            return
        rest = self._normaliser.flush()
        is_whole = len(rest) <= max(self._room, 0)
        words = self._splitter.feed(rest) if rest else []
        if is_whole:  # else the last word does not fit
            words += self._splitter.flush()
        else:
            self.finish = replace(self.finish, reason="length")
        if words:
            self._reply.emit(words)


async def _finish(reply: RunningReply, finish: Finish, error: ChatError | None, store: Saver) -> None:
    """Store the end, then publish it: what readers have seen is never lost."""
    record = reply.record
    reply.record_text()
    if error is not None:
        record.state, record.error_code = "failed", error.code
    else:
        record.state = "cancelled" if finish.reason in STOPPED else "completed"
        record.finish_reason, record.usage = finish.reason, finish.usage or record.usage
    if not reply.is_refused:
        try:
            await store.save(record)
        except ReplyElsewhere as lost:
            error = error or (ReplyInterrupted() if reply.acknowledged else _told(lost))
        except ChatError as unsaved:
            error = error or _told(unsaved)
        else:
            reply.stored = True
            reply.acknowledge()
            reply.resume()
    reply.log.close(
        Done(record.text, finish.reason, record.usage, finish.omitted_messages) if error is None else Failed(error)
    )


def _is_cancelled(reply: RunningReply) -> bool:
    return reply.task is not None and reply.task.cancelling() > 0


def _told(error: BaseException) -> ChatError:
    """The error that readers get: a new one, because the raised one keeps its traceback and all its frames alive."""
    match error:
        case MessageRefused():
            return MessageRefused(error.reason)
        case ChatError():
            return type(error)(retry_after_seconds=error.retry_after_seconds)
        case TimeoutError():
            return BotTimeout()
        case _:
            # Frames only: the text of an exception may contain text of the user or the model.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("the bot raised %s\n%s", type(error).__qualname__, frames)
            return BotBroken()


def _fitting(words: list[str], room: int) -> list[str]:
    """The leading words that fit in `room` characters."""
    for index, word in enumerate(words):
        room -= len(word)
        if room < 0:
            return words[:index]
    return words
