"""Stops replies for who asks for it: to cancel them, or to delete their conversations."""

import asyncio
from contextlib import suppress

from app.chat.access import Principal
from app.chat.errors import ReplyElsewhere, ReplyNotFound
from app.chat.known import KnownReplies
from app.chat.past import PastReplies
from app.chat.ports import SharedLogs, Store
from app.chat.registry import Registry
from app.chat.remote import RemoteReplies
from app.chat.running import RunningReply
from app.chat.watching import Canceller, Measures

_CANCEL_SECONDS = 10.0
"""How long to wait for a cancelled reply: a bot may ignore its cancellation, and the store may be slow."""
_CANCEL_ELSEWHERE_SECONDS = 5.0
"""The same for a reply of another instance, which looks every two seconds."""


class Cancellations:
    """Of a principal's replies, one by one."""

    def __init__(self, known: KnownReplies, remote: RemoteReplies, measures: Measures) -> None:
        """Those of other instances are cancelled through `remote`."""
        self._known = known
        self._remote = remote
        self._measures = measures

    async def cancel(self, reply_id: str, principal: Principal, by: Canceller = "client") -> None:
        """Stop a reply and wait for its end; does nothing if it has ended.

        Raises `ReplyNotFound`, `StorageUnavailable`, and `ReplyElsewhere` if the instance that generates it does not
        cancel it in time.
        """
        reply = await self._known.read(reply_id, principal)
        if not reply.is_remote:
            await self.cancel_here(reply, by)
        elif reply.log.end is None:
            await self._remote.cancel(reply_id, principal, _CANCEL_ELSEWHERE_SECONDS)

    async def cancel_here(self, reply: RunningReply, by: Canceller) -> None:
        """The same for one of this instance's."""
        if reply.task is not None:
            if reply.stop("cancelled"):
                self._measures.cancelled(by)
            await asyncio.wait([reply.task], timeout=_CANCEL_SECONDS)


class Deletions:
    """Of conversations, with what runs in them."""

    def __init__(  # noqa: PLR0913 - all that may know of a conversation
        self,
        registry: Registry,
        past: PastReplies,
        store: Store,
        shared: SharedLogs,
        cancellations: Cancellations,
        *,
        is_shared: bool,
    ) -> None:
        """`is_shared` says whether other instances use the store."""
        self._registry = registry
        self._past = past
        self._store = store
        self._shared = shared
        self._cancellations = cancellations
        self._is_shared = is_shared

    async def delete(self, conversation_id: str, principal: Principal) -> None:
        """Stop the reply running in a conversation, and delete the conversation.

        Raises `ConversationNotFound` and `StorageUnavailable`.
        """
        await self._silence(conversation_id, principal)
        await self._silence_elsewhere(principal, conversation_id)
        for reply_id in await self._store.delete(conversation_id, principal):
            self._shared.ask_to_cancel(reply_id)
        await self._silence(conversation_id, principal, is_deleted=True)
        self._past.forget_conversations([conversation_id])

    async def delete_all(self, principal: Principal) -> None:
        """Delete all conversations of a principal, and stop the replies running in them.

        Raises `StorageUnavailable`; some may have been deleted then.
        """
        theirs = [reply for reply in self._registry.running if reply.record.principal == principal]
        await asyncio.gather(*(self._cancellations.cancel_here(reply, "deletion") for reply in theirs))
        await self._silence_elsewhere(principal)
        while True:
            deleted, running = await self._store.delete_some(principal)
            if not deleted:
                return
            for reply_id in running:
                self._shared.ask_to_cancel(reply_id)
            for conversation_id in deleted:
                await self._silence(conversation_id, principal, is_deleted=True)
            self._past.forget_conversations(frozenset(deleted))

    async def _silence(self, conversation_id: str, principal: Principal, *, is_deleted: bool = False) -> None:
        """Stop the reply that runs in a conversation. If that `is_deleted`, it has started in the meantime.

        Then it may have begun another conversation, which has the same id because it has the same alias: it goes on.
        """
        reply = self._registry.running_in(conversation_id, principal)
        if reply is None or (is_deleted and reply.record.alias is not None and reply.record.position == 0):
            return
        await self._cancellations.cancel_here(reply, "deletion")

    async def _silence_elsewhere(self, principal: Principal, conversation_id: str | None = None) -> None:
        """Stop what other instances generate, which would tell of it for a moment after it has been deleted here.

        One that does not stop in time, because it is dead perhaps, finds later that there is nothing to store it in.
        """

        async def stop(reply_id: str) -> None:
            with suppress(ReplyNotFound, ReplyElsewhere):
                await self._cancellations.cancel(reply_id, principal)

        if self._is_shared:
            await asyncio.gather(*map(stop, await self._store.running(principal, conversation_id)))
