"""Finds the reply that an earlier attempt at the same request got, in memory or in the store."""

import asyncio
from weakref import WeakValueDictionary

from app.chat.errors import IdempotencyKeyReused
from app.chat.model import Failed
from app.chat.past import PastReplies
from app.chat.ports import Store
from app.chat.registry import Registry
from app.chat.requests import ReplyRequest
from app.chat.running import RunningReply
from app.chat.stored import KeyedReply


class EarlierReplies:
    """Looks everywhere a reply for an idempotency key may be."""

    def __init__(self, registry: Registry, past: PastReplies, store: Store) -> None:
        """Search these three."""
        self._registry = registry
        self._past = past
        self._store = store
        self._seeking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def seeking(self, key: str) -> asyncio.Lock:
        """The lock that a request with this key holds while it looks for its reply or starts it.

        Without it, a request that looks just before another one starts the reply would miss it.
        """
        return self._seeking.setdefault(key, asyncio.Lock())

    async def find(self, request: ReplyRequest, key: str) -> KeyedReply | None:
        """The earlier reply for an idempotency key. Raises `IdempotencyKeyReused` if it answers another request."""
        reply = self._registry.with_key(key)
        if reply is not None and isinstance(reply.log.end, Failed) and reply.task is not None:
            await asyncio.wait([reply.task])  # its end was sent; it is about to move to the past replies
            reply = None
        reply = reply or self._past.with_key(key)
        earlier = _keyed(reply) if reply is not None else None
        if earlier is None or earlier.has_failed:  # another instance may have retried it
            earlier = await self._store.reply_for(key)
        if earlier is not None and not earlier.answers(request):
            raise IdempotencyKeyReused
        return earlier

    async def is_found(self, request: ReplyRequest, key: str, reply_id: str) -> bool:
        """Whether that is the reply. Raises what `find` raises."""
        earlier = await self.find(request, key)
        return earlier is not None and earlier.reply_id == reply_id


def _keyed(reply: RunningReply) -> KeyedReply | None:
    record = reply.record
    if record.idempotency is None:
        return None
    return KeyedReply(
        record.idempotency.fingerprint,
        record.reply_id,
        record.conversation_id,
        record.position,
        isinstance(reply.log.end, Failed),
    )
