"""Replies that have ended, for reading again: from memory for a while, then from the store."""

import asyncio
from collections.abc import Callable, Collection

from app.chat.access import Principal
from app.chat.errors import ReplyInterrupted, ReplyNotFound, error_with_code
from app.chat.model import Done, End, Failed, Snapshot
from app.chat.ports import ReplyLog, Store
from app.chat.running import RunningReply
from app.chat.stored import ReplyRecord, StoredMessage
from app.chat.words import WordSplitter

_MOST_REPLIES = 1_000
_MOST_WORDS = 200_000
"""Limits on what is kept in memory, whatever its age: about ten megabytes."""


class PastReplies:
    """Owns no task: replies expire when `forget_old` is called."""

    def __init__(self, store: Store, new_log: Callable[[], ReplyLog], retention_seconds: float) -> None:
        """Replies stay in memory for `retention_seconds`; `new_log` creates the log of one read from the store."""
        self._store = store
        self._new_log = new_log
        self._retention_seconds = retention_seconds
        self._ended: dict[str, tuple[float, RunningReply]] = {}  # with the time of their end, oldest first
        self._words = 0  # in all of them
        self._keys: dict[str, RunningReply] = {}  # by idempotency key

    def remember(self, reply: RunningReply) -> None:
        """Keep a reply that has just ended and has been stored, if it may be read from memory at all."""
        if not self._retention_seconds:
            return
        self._ended[reply.reply_id] = asyncio.get_running_loop().time(), reply
        self._words += len(reply.log)
        if reply.record.idempotency is not None:
            self._keys[reply.record.idempotency.key] = reply
        while len(self._ended) > _MOST_REPLIES or self._words > _MOST_WORDS:
            self._forget(next(iter(self._ended)))

    def find(self, reply_id: str) -> RunningReply | None:
        """The reply in memory with this id, whoever owns it."""
        return self._ended[reply_id][1] if reply_id in self._ended else None

    def with_key(self, key: str) -> RunningReply | None:
        """The reply in memory for this idempotency key."""
        return self._keys.get(key)

    def forget_old(self) -> None:
        """Drop from memory what is older than the retention time."""
        too_old = asyncio.get_running_loop().time() - self._retention_seconds
        while self._ended:
            reply_id, (ended_at, _) = next(iter(self._ended.items()))
            if ended_at > too_old:
                break
            self._forget(reply_id)

    def forget(self, reply_id: str) -> None:
        """Drop a reply that another one has replaced."""
        if reply_id in self._ended:
            self._forget(reply_id)

    def forget_conversations(self, conversation_ids: Collection[str]) -> None:
        """Drop the replies of deleted conversations."""
        for reply_id, (_, reply) in list(self._ended.items()):
            if reply.record.conversation_id in conversation_ids:
                self._forget(reply_id)

    async def read_back(self, reply_id: str, principal: Principal) -> RunningReply:
        """A reply from the store, split into the same words as when it was generated.

        One that another instance still generates has the words that are stored so far, and no end. Raises
        `ReplyNotFound` and `StorageUnavailable`.
        """
        conversation_id, message = await self._stored(reply_id, principal)
        record = ReplyRecord(reply_id, conversation_id, 0, "", message.created_ms, principal, usage=message.usage)
        reply = RunningReply(record, self._new_log())
        reply.acknowledge()
        reply.log.append(words_of(message.text))
        reply.is_remote = message.state == "running"
        if not reply.is_remote:
            reply.log.close(end_of(message))
        return reply

    async def snapshot(self, reply_id: str, principal: Principal) -> Snapshot:
        """A reply as stored, which may be behind the instance that is generating it.

        Raises `ReplyNotFound` and `StorageUnavailable`.
        """
        conversation_id, message = await self._stored(reply_id, principal)
        words = message.words
        if words is None:
            words = len(words_of(message.text))
        end = None if message.state == "running" else end_of(message)
        return Snapshot(
            reply_id,
            conversation_id,
            message.state or "interrupted",
            message.text,
            words,
            end.finish_reason if isinstance(end, Done) else None,
            message.usage,
            end.error if isinstance(end, Failed) else None,
        )

    async def _stored(self, reply_id: str, principal: Principal) -> tuple[str, StoredMessage]:
        stored = await self._store.reply(reply_id, principal)
        if stored is None:
            raise ReplyNotFound
        return stored

    def _forget(self, reply_id: str) -> None:
        _, reply = self._ended.pop(reply_id)
        self._words -= len(reply.log)
        if reply.record.idempotency is not None and self._keys.get(reply.record.idempotency.key) is reply:
            del self._keys[reply.record.idempotency.key]


def words_of(text: str) -> list[str]:
    """The words that a stored text had when it was generated."""
    splitter = WordSplitter()
    return splitter.feed(text) + splitter.flush()


def end_of(message: StoredMessage) -> End:
    """How a stored reply ended."""
    match message.state:
        case "completed" | "cancelled":
            return Done(message.text, message.finish_reason or "stop", message.usage)
        case "failed":
            return Failed(error_with_code(message.error_code or ""))
        case _:
            return Failed(ReplyInterrupted())
