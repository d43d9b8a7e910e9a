"""Replies that have ended, to be read again: for a while from memory, and from the store for as long as it has them."""

import asyncio
from collections.abc import Callable

from app.chat.access import Principal
from app.chat.errors import ReplyElsewhere, ReplyInterrupted, ReplyNotFound, error_with_code
from app.chat.model import Done, End, Failed, ReplyRecord, Snapshot, StoredMessage
from app.chat.ports import ReplyLog, Store
from app.chat.running import RunningReply
from app.chat.words import WordSplitter

_MOST_REPLIES = 1_000
_MOST_WORDS = 200_000
"""So much is kept in memory, however short the time since it was said: some ten megabytes."""


class PastReplies:
    """Owns no task: what is too old goes when `forget_old` is called."""

    def __init__(self, store: Store, new_log: Callable[[], ReplyLog], retention_seconds: float) -> None:
        """They stay in memory for `retention_seconds`; `new_log` makes the log of one that is read back."""
        self._store = store
        self._new_log = new_log
        self._retention_seconds = retention_seconds
        self._ended: dict[str, tuple[float, RunningReply]] = {}  # when, oldest first
        self._words = 0  # of them all
        self._keys: dict[str, RunningReply] = {}  # by idempotency key

    def remember(self, reply: RunningReply) -> None:
        """Keep a reply that has just ended, and that the store has."""
        self._ended[reply.reply_id] = asyncio.get_running_loop().time(), reply
        self._words += len(reply.log)
        if reply.record.idempotency is not None:
            self._keys[reply.record.idempotency.key] = reply
        while len(self._ended) > _MOST_REPLIES or self._words > _MOST_WORDS:
            self._forget(next(iter(self._ended)))
        self.forget_old()

    def find(self, reply_id: str) -> RunningReply | None:
        """What memory has under this id, whose ever it is."""
        return self._ended[reply_id][1] if reply_id in self._ended else None

    def with_key(self, key: str) -> RunningReply | None:
        """What memory has under this idempotency key."""
        return self._keys.get(key)

    def forget_old(self) -> None:
        """Leave to the store what nobody has come for in time."""
        too_old = asyncio.get_running_loop().time() - self._retention_seconds
        while self._ended:
            reply_id, (ended_at, _) = next(iter(self._ended.items()))
            if ended_at > too_old:
                break
            self._forget(reply_id)

    def forget(self, reply_id: str) -> None:
        """Another reply has taken its place."""
        if reply_id in self._ended:
            self._forget(reply_id)

    def forget_conversation(self, conversation_id: str) -> None:
        """What was said there has been deleted."""
        for reply_id, (_, reply) in list(self._ended.items()):
            if reply.record.conversation_id == conversation_id:
                self._forget(reply_id)

    async def read_back(self, reply_id: str, principal: Principal) -> RunningReply:
        """A reply from the store, with the words that it had when it was made.

        Raises `ReplyNotFound`, `ReplyElsewhere` if it has not ended, and `StorageUnavailable`.
        """
        conversation_id, message = await self._stored(reply_id, principal)
        if message.state == "running":
            raise ReplyElsewhere
        record = ReplyRecord(reply_id, conversation_id, 0, "", message.created_ms, principal, usage=message.usage)
        reply = RunningReply(record, self._new_log())
        reply.acknowledge()
        splitter = WordSplitter()
        reply.log.append(splitter.feed(message.text) + splitter.flush())
        reply.log.close(_end(message))
        return reply

    async def snapshot(self, reply_id: str, principal: Principal) -> Snapshot:
        """A reply as the store has it, which may be behind what the instance that makes it has.

        Raises `ReplyNotFound` and `StorageUnavailable`.
        """
        conversation_id, message = await self._stored(reply_id, principal)
        words = message.words
        if words is None:
            splitter = WordSplitter()
            words = len(splitter.feed(message.text) + splitter.flush())
        end = None if message.state == "running" else _end(message)
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


def _end(message: StoredMessage) -> End:
    match message.state:
        case "completed" | "cancelled":
            return Done(message.text, message.finish_reason or "stop", message.usage)
        case "failed":
            return Failed(error_with_code(message.error_code or ""))
        case _:
            return Failed(ReplyInterrupted())
