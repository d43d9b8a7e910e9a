"""Finds the reply that the same request got before, in memory or in the store."""

import asyncio
from weakref import WeakValueDictionary

from app.chat.errors import IdempotencyKeyReused
from app.chat.model import Failed, KeyedReply, ReplyRequest
from app.chat.past import PastReplies
from app.chat.ports import Store
from app.chat.registry import Registry
from app.chat.running import RunningReply


class EarlierReplies:
    """Looks in all places where a reply to an idempotency key may be."""

    def __init__(self, registry: Registry, past: PastReplies, store: Store) -> None:
        """The places."""
        self._registry = registry
        self._past = past
        self._store = store
        self._seeking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def seeking(self, key: str) -> asyncio.Lock:
        """Held by the one request with this key that looks for its reply, or begins it.

        Who asked the store for a reply that is not there yet would not learn of its end.
        """
        return self._seeking.setdefault(key, asyncio.Lock())

    async def find(self, request: ReplyRequest, key: str) -> KeyedReply | None:
        """The reply that an idempotency key got before. Raises `IdempotencyKeyReused` for another message's."""
        reply = self._registry.with_key(key)
        if reply is not None and isinstance(reply.log.end, Failed) and reply.task is not None:
            await asyncio.wait([reply.task])  # its end is told, and it is on its way to the past
            reply = None
        reply = reply or self._past.with_key(key)
        earlier = _keyed(reply) if reply is not None else None
        if earlier is None or earlier.has_failed:  # another instance may have generated it anew
            earlier = await self._store.reply_for(key)
        if earlier is not None and not earlier.answers(request):
            raise IdempotencyKeyReused
        return earlier


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
