"""All replies of this process: who makes them, who reads them, when they stop, and how they are found again.

A reply does not live inside its HTTP response, which may die at any time. It is made by a task that the application's
lifespan owns, into a log; readers come and go. When the last reader has left and does not come back within the resume
window, the task is cancelled, and with it the bot.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import nullcontext
from types import TracebackType
from typing import Self

from app.chat.access import Principal
from app.chat.bounds import Bounds
from app.chat.earlier import EarlierReplies
from app.chat.errors import (
    Draining,
    TooManyStreams,
)
from app.chat.model import Conversation, Failed, KeyedReply, Message, ReplyRecord, ReplyRequest, Snapshot
from app.chat.past import PastReplies
from app.chat.ports import Bot, Meter, ReplyLog, Store
from app.chat.production import produce
from app.chat.registry import Registry
from app.chat.running import RunningReply
from app.chat.unsaved import UnsavedEnds

_CANCEL_SECONDS = 10.0
"""A bot may refuse to be cancelled, and the store may be slow."""


class Replies:
    """An async context manager: the tasks that make replies live inside it."""

    def __init__(self, bot: Bot, bounds: Bounds, store: Store, new_log: Callable[[], ReplyLog]) -> None:
        """`new_log` makes the log of one reply."""
        self.accepting = False
        self._bot = bot
        self._bounds = bounds
        self._store = store
        self._new_log = new_log
        self._registry = Registry()
        self._past = PastReplies(store, new_log, bounds.retention_seconds)
        self._earlier = EarlierReplies(self._registry, self._past, store)
        self._unsaved = UnsavedEnds(store)
        self._tasks: asyncio.TaskGroup
        self._saver: asyncio.Task[None]
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> Self:
        """Begin to take replies."""
        self._loop = asyncio.get_running_loop()  # once: each call asks the operating system for the process's id
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._saver = self._tasks.create_task(self._keep_saving())
        self.accepting = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what still runs, and wait for it."""
        self.accepting = False
        self._saver.cancel()
        for reply in self._registry.running:
            reply.stop(Draining())
        await self._tasks.__aexit__(kind, error, trace)

    async def start(self, request: ReplyRequest, meter: Meter | None = None) -> RunningReply:
        """Begin a reply, or attach to the one that the same request began before.

        The caller is a reader, and `leave`s. The `meter` is asked, and told, of a reply that is begun.

        Raises `Draining`, `TooManyStreams`, `ConversationNotFound`, `ConversationBusy`, `IdempotencyKeyReused`,
        `StorageUnavailable`, and what the meter does.
        """
        key = request.idempotency and request.idempotency.key
        async with self._earlier.seeking(key) if key else nullcontext():
            earlier = await self._earlier.find(request, key) if key else None
            if earlier is not None and not earlier.has_failed:
                return await self.open(earlier.reply_id, request.principal)
            if meter is not None:
                await meter.allow()
            if not self.accepting:
                raise Draining
            if len(self._registry) >= self._bounds.open_streams:
                raise TooManyStreams
            reply = await self._begun(request, earlier)
            if meter is not None and reply.task is not None:
                reply.task.add_done_callback(lambda _: meter.charge(len(reply.log)))
            return self._attach(reply)

    async def open(self, reply_id: str, principal: Principal, after: int = 0) -> RunningReply:
        """Attach to a principal's reply, live or stored, whose first `after` words the reader has. The caller `leave`s.

        Raises `ReplyNotFound`, `ReplyElsewhere`, `CursorAhead`, `CursorExpired`, `TooManyStreams` and
        `StorageUnavailable`.
        """
        if self._find(reply_id, principal) is None and len(self._registry) >= self._bounds.open_streams:
            raise TooManyStreams
        return self._attach(await self.look(reply_id, principal, after))

    async def look(self, reply_id: str, principal: Principal, after: int = 0) -> RunningReply:
        """What `open` would attach to. Who only looks is no reader, and does not keep the reply going.

        Raises as `open` does, but for `TooManyStreams`.
        """
        reply = self._find(reply_id, principal) or await self._past.read_back(reply_id, principal)
        reply.check_cursor(after)
        return reply

    async def snapshot(self, reply_id: str, principal: Principal) -> Snapshot:
        """A principal's reply as it stands. Raises `ReplyNotFound` and `StorageUnavailable`."""
        reply = self._find(reply_id, principal)
        return await self._past.snapshot(reply_id, principal) if reply is None else reply.snapshot()

    async def cancel(self, reply_id: str, principal: Principal) -> None:
        """Stop a principal's reply, and wait for its end; nothing happens to one that has ended.

        Raises `ReplyNotFound`, `ReplyElsewhere` and `StorageUnavailable`.
        """
        reply = self._find(reply_id, principal) or await self._past.read_back(reply_id, principal)
        await self._cancelled(reply)

    async def delete_conversation(self, conversation_id: str, principal: Principal) -> None:
        """Stop what is being said in a principal's conversation, and forget it all.

        Raises `ConversationNotFound` and `StorageUnavailable`.
        """
        await self._silence(conversation_id, principal)
        await self._store.delete(conversation_id, principal)
        await self._silence(conversation_id, principal)  # somebody may have spoken up meanwhile
        self._past.forget_conversation(conversation_id)

    def leave(self, reply: RunningReply) -> None:
        """A reader is gone. When the last one does not come back, the reply stops."""
        reply.readers -= 1
        if reply.readers == 0:
            if reply.log.end is not None:
                self._registry.discard_if_over(reply)
            elif reply.unread_seconds:
                reply.leaving = self._loop.call_later(reply.unread_seconds, reply.stop, "abandoned")
            else:
                reply.stop("abandoned")

    async def drain(self, seconds: float) -> None:
        """Take no new replies, let running ones finish for `seconds`, then end the rest with `Draining`."""
        self.accepting = False
        try:
            async with asyncio.timeout(seconds):
                await self._registry.emptied()
        except TimeoutError:
            for reply in self._registry.running:
                reply.stop(Draining())

    async def _begun(self, request: ReplyRequest, failed: KeyedReply | None) -> RunningReply:
        """A new reply; where an earlier one to the same message has `failed`, in its place."""
        position = 0
        history: tuple[Message, ...] = ()
        conversation_id = failed.conversation_id if failed else request.conversation_id
        if conversation_id is not None:
            self._registry.refuse_if_busy(conversation_id, request.principal)
            position, history = await self._store.history(
                conversation_id,
                request.principal,
                self._bounds.history_messages,
                self._bounds.history_characters,
                before=failed.position if failed else None,
            )
            self._registry.refuse_if_busy(conversation_id, request.principal)  # somebody was quicker
        record = ReplyRecord(
            reply_id=secrets.token_hex(16),
            conversation_id=conversation_id or secrets.token_hex(16),
            position=failed.position if failed else position,
            user_message=request.message,
            created_ms=time.time_ns() // 1_000_000,
            principal=request.principal,
            idempotency=request.idempotency,
            replaces=failed.reply_id if failed else None,
        )
        if failed:
            self._past.forget(failed.reply_id)
        unread_seconds = self._bounds.resume_window_seconds
        if request.continues_unread:
            unread_seconds = max(unread_seconds, self._bounds.unread_seconds)
        return self._begin(record, Conversation((*history, Message("user", request.message))), unread_seconds)

    def _begin(self, record: ReplyRecord, conversation: Conversation, unread_seconds: float) -> RunningReply:
        reply = RunningReply(record, self._new_log(), unread_seconds)
        self._registry.add(reply)
        # The bot begins while the message is being stored; its words wait for that.
        self._store.save(record).add_done_callback(reply.take_receipt)
        reply.task = self._tasks.create_task(produce(reply, self._bot, conversation, self._bounds.reply, self._store))
        reply.task.add_done_callback(lambda _: self._ended(reply))
        reply.watch(self._loop, self._bounds.reply)
        return reply

    def _attach(self, reply: RunningReply) -> RunningReply:
        self._registry.attach(reply)
        return reply

    def _find(self, reply_id: str, principal: Principal) -> RunningReply | None:
        """What memory has; somebody else's is looked for in the store, and not found there, as if it were nothing."""
        reply = self._registry.with_id(reply_id) or self._past.find(reply_id)
        return reply if reply is not None and reply.record.principal == principal else None

    async def _silence(self, conversation_id: str, principal: Principal) -> None:
        if (reply := self._registry.running_in(conversation_id, principal)) is not None:
            await self._cancelled(reply)

    @staticmethod
    async def _cancelled(reply: RunningReply) -> None:
        if reply.task is not None:
            reply.stop("cancelled")
            await asyncio.wait([reply.task], timeout=_CANCEL_SECONDS)

    def _ended(self, reply: RunningReply) -> None:
        """The task is over."""
        reply.forget_timers()
        self._registry.end(reply)
        if reply.log.end is None:  # the loop is coming down
            reply.log.close(Failed(Draining()))
        elif reply.stored:
            self._past.remember(reply)
        else:
            self._unsaved.keep(reply)
        reply.task = None
        self._registry.discard_if_over(reply)

    async def _keep_saving(self) -> None:
        """From time to time save what has been said meanwhile, try again what could not be saved, and forget."""
        while True:
            await asyncio.sleep(self._bounds.save_every_seconds)
            await self._save_and_forget()

    async def _save_and_forget(self) -> None:
        """In a frame of its own, so that none of it is held until the next time."""
        for reply in self._registry.running:
            reply.save_progress(self._store)
        await self._unsaved.save()
        self._past.forget_old()
