"""A principal's replies, wherever they are: generated here, ended a moment ago, followed elsewhere, or in the store."""

from app.chat.access import Principal
from app.chat.model import Snapshot
from app.chat.past import PastReplies
from app.chat.ports import Store
from app.chat.registry import Registry
from app.chat.remote import RemoteReplies
from app.chat.running import RunningReply


class KnownReplies:
    """Another principal's reply is as if it did not exist."""

    def __init__(self, registry: Registry, past: PastReplies, remote: RemoteReplies, store: Store) -> None:
        """Search these, in this order."""
        self._registry = registry
        self._past = past
        self._remote = remote
        self._store = store

    def find(self, reply_id: str, principal: Principal) -> RunningReply | None:
        """A reply in memory."""
        reply = self._registry.with_id(reply_id) or self._past.find(reply_id) or self._remote.find(reply_id)
        return reply if reply is not None and reply.record.principal == principal else None

    async def read(self, reply_id: str, principal: Principal) -> RunningReply:
        """A reply in memory, or as stored. Raises `ReplyNotFound` and `StorageUnavailable`."""
        return self.find(reply_id, principal) or await self._past.read_back(reply_id, principal)

    async def snapshot(self, reply_id: str, principal: Principal) -> Snapshot:
        """The current state of a reply. Raises `ReplyNotFound` and `StorageUnavailable`."""
        reply = self.find(reply_id, principal)
        return await self._past.snapshot(reply_id, principal) if reply is None else reply.snapshot()

    async def running_in(self, conversation_id: str, principal: Principal) -> str | None:
        """The id of the reply that runs in a conversation, at any instance. Raises `StorageUnavailable`."""
        if (reply := self._registry.running_in(conversation_id, principal)) is not None:
            return reply.reply_id
        return next(iter(await self._store.running(principal, conversation_id)), None)
