"""Generates one reply: turns a bot's deltas into words in the reply's log; the end is stored before readers see it."""

import asyncio
import logging
import traceback
from collections.abc import Callable
from contextlib import aclosing
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
    finish = _SAID_ALL
    error: ChatError | None = None
    try:
        if reply.verdict is None:
            reply.is_pumping = True
            finish = await _pump(reply, bot_says, bounds, pulse)
    except BaseException as raised:  # a bot is third-party code: whatever it raises ends its own reply and nothing else
        if not _is_cancelled(reply):
            error = _told(raised)
        elif reply.verdict is None:
            raise  # cancelled from outside: the event loop is shutting down
    reply.is_pumping = False
    match reply.verdict:
        case None:
            pass
        case "cancelled" | "abandoned" as reason:
            finish, error = Finish(reason, reply.record.usage), None
        case ChatError() as stopped_by:
            error = stopped_by
    await _finish(reply, finish, error, store)


async def _pump(reply: RunningReply, bot_says: BotSays, bounds: ReplyBounds, pulse: Pulse) -> Finish:
    """Append the bot's deltas to the log, as words."""
    normaliser = Normaliser()
    splitter = WordSplitter()
    now = asyncio.get_running_loop().time
    clean, split = normaliser.feed, splitter.feed
    room = bounds.characters
    finish = _SAID_ALL
    turns = 0
    try:
        async with aclosing(bot_says()) as deltas:
            async for delta in deltas:
                reply.heard_at = heard_at = now()
                if heard_at > pulse.lost_at:
                    reply.suspend()
                if reply.verdict is not None:
                    break  # the bot ignored its cancellation
                if not isinstance(delta, str):
                    if isinstance(delta, Finish):
                        finish = delta
                        break
                    if isinstance(delta, Usage):
                        reply.record.usage = delta
                        continue
                text = clean(delta)
                room -= len(text)
                if room < 0:
                    reply.emit(_fitting(splitter.feed(text), bounds.characters - len(reply.text())))
                    normaliser, splitter = Normaliser(), WordSplitter()  # what they still buffer does not fit
                    finish = Finish("length")
                    break
                words = split(text)
                if words:
                    reply.emit(words)
                turns += 1
                if turns % _DELTAS_A_TURN == 0:
                    await asyncio.sleep(0)
    finally:
        is_whole = _emit_rest(reply, normaliser, splitter, max(room, 0))
    return finish if is_whole else replace(finish, reason="length")


def _emit_rest(reply: RunningReply, normaliser: Normaliser, splitter: WordSplitter, room: int) -> bool:
    """Also when the bot breaks off: readers get all that it generated, unless others have told them the end.

    Returns whether there was room for it.
    """
    if isinstance(reply.verdict, ReplyInterrupted):
        return True
    rest = normaliser.flush()
    is_whole = len(rest) <= room
    words = splitter.feed(rest) if rest else []
    if is_whole:  # else the last word does not fit
        words += splitter.flush()
    if words:
        reply.emit(words)
    return is_whole


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
