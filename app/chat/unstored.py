"""Replies to conversations that come with their request: generated as any other, and stored nowhere.

Nobody can find such a reply again, so it stops at once when its reader leaves. The exception is a request with an
idempotency key: for the resume window, the same request attaches to its reply, whether that is running or has ended.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from app.chat.bounds import Bounds
from app.chat.errors import Draining, IdempotencyKeyReused
from app.chat.history import alternating, newest
from app.chat.ids import new_id
from app.chat.limiting import limited
from app.chat.model import Conversation, Done, Failed, Message
from app.chat.ports import Bot, Deltas, ReplyLog
from app.chat.production import produce
from app.chat.pulse import Pulse
from app.chat.registry import Registry
from app.chat.requests import UnstoredRequest
from app.chat.running import STOPPED, RunningReply
from app.chat.stored import ReplyRecord
from app.chat.watching import ReplyObserver

_MOST_KEPT = 1_000
"""Replies that have ended, and may be asked for again."""


class Nowhere:
    """Saves nothing."""

    def save(self, record: ReplyRecord) -> "asyncio.Future[None]":  # noqa: ARG002 - as `app.chat.ports.Saver`
        """Done at once."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


class UnstoredReplies:
    """Begins them, and knows those with a key until a moment after their end."""

    def __init__(  # noqa: PLR0913 - the parts of a reply
        self,
        bot: Bot,
        bounds: Bounds,
        *,
        new_log: Callable[[], ReplyLog],
        registry: Registry,
        observer: ReplyObserver,
        on_end: Callable[[RunningReply], None],
    ) -> None:
        """`new_log` creates the log of one reply. `on_end` is called when its task has ended."""
        self._bot = bot
        self._counts_tokens: bool = getattr(bot, "counts_tokens", False)
        self._bounds = bounds
        self._new_log = new_log
        self._registry = registry
        self._observer = observer
        self._on_end = on_end
        self._pulse = Pulse(math.inf)  # other instances know nothing of these replies, so none takes them for dead
        self._by_key: dict[str, RunningReply] = {}
        self._ended_at: dict[str, float] = {}  # of those with a key, in that order

    def earlier(self, request: UnstoredRequest) -> RunningReply | None:
        """The reply that the same request got a moment ago, unless it has failed or was given up.

        Raises `IdempotencyKeyReused` if the key came with another request.
        """
        if request.idempotency is None:
            return None
        self.forget_old()
        reply = self._by_key.get(request.idempotency.key)
        if reply is None or reply.verdict is not None or isinstance(reply.log.end, Failed):
            return None
        if reply.record.idempotency != request.idempotency:
            raise IdempotencyKeyReused
        return reply

    def begin(self, request: UnstoredRequest, tasks: asyncio.TaskGroup) -> RunningReply:
        """A new reply."""
        now_ms = time.time_ns() // 1_000_000
        record = ReplyRecord(
            reply_id=new_id(now_ms),
            conversation_id=new_id(now_ms),
            position=0,
            user_message="",
            created_ms=now_ms,
            principal=request.principal,
            idempotency=request.idempotency,
            origin=request.origin,
        )
        unread_seconds = self._bounds.resume_window_seconds if request.idempotency else 0
        reply = RunningReply(record, self._new_log(), unread_seconds)
        reply.observer = self._observer
        reply.acknowledge()  # there is nothing to wait for
        self._registry.add_unstored(reply)
        if request.idempotency:
            self._by_key[request.idempotency.key] = reply
        self._pulse.beat()
        bot_says = partial(self._says, self._fitting(request.conversation))
        reply.task = tasks.create_task(produce(reply, bot_says, self._bounds.reply, Nowhere(), self._pulse))
        reply.task.add_done_callback(lambda _: self._ended(reply))
        return reply

    def forget_old(self) -> None:
        """Drop from memory what nobody may ask for any more."""
        too_old = asyncio.get_running_loop().time() - self._bounds.resume_window_seconds
        while self._ended_at:
            key, ended_at = next(iter(self._ended_at.items()))
            if ended_at > too_old and len(self._ended_at) <= _MOST_KEPT:
                break
            del self._ended_at[key], self._by_key[key]

    def _says(self, conversation: Conversation) -> Deltas:
        return limited(self._bot.reply(conversation), conversation.sampling, counts_tokens=self._counts_tokens)

    def _fitting(self, conversation: Conversation) -> Conversation:
        """With as much of the history as the operator allows, in alternating roles."""
        messages = alternating(conversation.messages)
        last = 2 if messages[-1].role == "assistant" else 1
        messages = messages[-(last + self._bounds.history_messages // 2 * 2) :]
        room = self._bounds.history_characters + sum(map(_size, messages[-last:]))
        return replace(conversation, messages=tuple(newest(messages, room, _size)))

    def _ended(self, reply: RunningReply) -> None:
        """Clean up after the task."""
        reply.forget_timers()
        self._registry.end_unstored(reply)
        if reply.log.end is None:  # the event loop is shutting down
            reply.log.close(Failed(Draining()))
        idempotency = reply.record.idempotency
        if idempotency is not None and self._by_key.get(idempotency.key) is reply:
            if isinstance(reply.log.end, Done) and reply.log.end.finish_reason not in STOPPED:
                self._ended_at[idempotency.key] = asyncio.get_running_loop().time()
            else:
                del self._by_key[idempotency.key]
        reply.task = None
        self._registry.discard_if_over(reply)
        self._on_end(reply)


def _size(message: Message) -> int:
    return len(message.text)
