"""Begins replies: reads the conversation, stores the message, and starts the bot.

The bot starts while the message is being stored; its words are held back until then. Where another instance may be
answering the same request, or another one in the same conversation, it starts only when the message is stored: nothing
is generated twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

from app.chat.bounds import Bounds
from app.chat.errors import ConversationNotFound, ReplyElsewhere
from app.chat.ids import new_id
from app.chat.model import Conversation, Message
from app.chat.ports import Bot, ReplyLog, SharedLogs, Store
from app.chat.production import produce
from app.chat.pulse import Pulse
from app.chat.registry import Registry
from app.chat.requests import Beside, Place, ReplyRequest, Where
from app.chat.running import RunningReply
from app.chat.stored import KeyedReply, ReplyRecord
from app.chat.watching import ReplyObserver

_NEWS_SECONDS = 4.0
"""So long it takes at most until this instance knows that a reply is read at another one."""


class Beginning:
    """What a new reply needs. Its task belongs to whoever begins it."""

    def __init__(  # noqa: PLR0913 - the parts of a reply
        self,
        bot: Bot,
        bounds: Bounds,
        store: Store,
        *,
        new_log: Callable[[], ReplyLog],
        shared: SharedLogs,
        registry: Registry,
        pulse: Pulse,
        observer: ReplyObserver,
        admit: Callable[[], None],
    ) -> None:
        """Replies are registered in `registry`, and end when the `pulse` is lost. `admit` raises if none may begin."""
        self._bot = bot
        self._bounds = bounds
        self._store = store
        self._new_log = new_log
        self._shared = shared
        self._registry = registry
        self._pulse = pulse
        self._observer = observer
        self._admit = admit

    async def begin(
        self,
        request: ReplyRequest,
        failed: KeyedReply | None,
        tasks: asyncio.TaskGroup,
        on_end: Callable[[RunningReply], None],
    ) -> RunningReply:
        """A new reply; it replaces the one that `failed` for the same request, if there is one.

        `on_end` is called when its task has ended. Raises `ConversationNotFound`, `ReplyNotFound`, `ConversationBusy`,
        `StorageUnavailable`, and `ReplyElsewhere` if another instance answers the same request, or another one in the
        same conversation, and was faster.
        """
        beside = Beside(failed.reply_id, "retries") if failed else request.beside
        conversation_id = failed.conversation_id if failed else request.conversation_id
        place: Place | None = None
        if conversation_id is not None:
            self._registry.refuse_if_busy(conversation_id, request.principal)
        if conversation_id is not None or beside is not None:
            where = Where(request.principal, conversation_id, beside, None if beside else request.behind)
            place = await self._place(where, may_be_new=request.alias is not None)
            if conversation_id := place.conversation_id if place else conversation_id:
                self._registry.refuse_if_busy(conversation_id, request.principal)  # another request was faster
            self._admit()  # reading has taken its time
        now_ms = time.time_ns() // 1_000_000
        is_new = place is None
        place = place or Place(conversation_id or new_id(now_ms), 0)
        message = request.message if place.message is None else place.message
        record = ReplyRecord(
            reply_id=new_id(now_ms),
            conversation_id=place.conversation_id,
            position=place.position,
            user_message=message,
            created_ms=now_ms,
            principal=request.principal,
            idempotency=request.idempotency,
            replaces=failed.reply_id if failed else None,
            origin=request.origin,
            follows=place.follows,
            answers=place.answers,
            alias=request.alias,
        )
        unread_seconds = self._bounds.resume_window_seconds
        if request.continues_unread:
            unread_seconds = max(unread_seconds, self._bounds.unread_seconds)
        if unread_seconds and self._bounds.is_shared:
            unread_seconds += _NEWS_SECONDS
        reply = RunningReply(record, self._new_log(), unread_seconds)
        reply.observer = self._observer
        may_be_late = self._bounds.is_shared and not (is_new and request.idempotency is None and request.alias is None)
        bot_says = partial(self._bot.reply, Conversation((*place.history, Message("user", message))))
        self._registry.add(reply)
        self._shared.share(reply.reply_id, reply.log)
        saved = self._store.save(record)
        saved.add_done_callback(reply.take_receipt)
        work = partial(produce, reply, bot_says, self._bounds.reply, self._store, self._pulse)
        reply.task = tasks.create_task(_after(saved, work) if may_be_late else work())
        reply.task.add_done_callback(lambda _: on_end(reply))
        if may_be_late:
            await _refuse_if_late(reply, saved)
        return reply

    async def _place(self, where: Where, *, may_be_new: bool) -> Place | None:
        """`None` for the first message of a conversation that its client has named."""
        try:
            return await self._store.place(where, self._bounds.history_messages, self._bounds.history_characters)
        except ConversationNotFound:
            if may_be_new:
                return None
            raise


async def _after(saved: "asyncio.Future[None]", work: Callable[[], Awaitable[None]]) -> None:
    await asyncio.wait([saved])
    await work()


async def _refuse_if_late(reply: RunningReply, saved: "asyncio.Future[None]") -> None:
    """No word of it comes before the message is stored, so waiting for that costs its readers nothing."""
    await asyncio.wait([saved])
    if isinstance(saved.exception(), ReplyElsewhere):
        if reply.task is not None:
            await asyncio.wait([reply.task])  # there may be another one, after that
        raise ReplyElsewhere
