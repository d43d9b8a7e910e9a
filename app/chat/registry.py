"""Finds the replies of this process that are open: being made, or read."""

import asyncio
from collections.abc import Iterable

from app.chat.access import Principal
from app.chat.errors import ConversationBusy
from app.chat.running import RunningReply


class Registry:
    """Indexes. Whoever begins and ends replies keeps them right."""

    def __init__(self) -> None:
        """Nothing is open."""
        self._open: set[RunningReply] = set()
        self._by_id: dict[str, RunningReply] = {}
        self._by_conversation: dict[str, RunningReply] = {}
        self._by_key: dict[str, RunningReply] = {}
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def running(self) -> Iterable[RunningReply]:
        """Those that are being made."""
        return self._by_id.values()

    def add(self, reply: RunningReply) -> None:
        """It is being made from now on."""
        record = reply.record
        self._open.add(reply)
        self._by_id[record.reply_id] = reply
        self._by_conversation[record.conversation_id] = reply
        if record.idempotency is not None:
            self._by_key[record.idempotency.key] = reply

    def end(self, reply: RunningReply) -> None:
        """It is made; it stays open while it has readers."""
        record = reply.record
        del self._by_id[record.reply_id]
        del self._by_conversation[record.conversation_id]
        if record.idempotency is not None:
            del self._by_key[record.idempotency.key]

    def attach(self, reply: RunningReply) -> None:
        """It has one more reader."""
        reply.readers += 1
        self._open.add(reply)
        if reply.leaving is not None:
            reply.leaving.cancel()
            reply.leaving = None

    def discard_if_over(self, reply: RunningReply) -> None:
        """It is open no more, if it is neither made nor read."""
        if reply.readers == 0 and reply.task is None:
            self._open.discard(reply)
            if not self._open:
                self._emptied.set()

    async def emptied(self) -> None:
        """Return when none is open."""
        if self._open:
            self._emptied.clear()
            await self._emptied.wait()

    def with_id(self, reply_id: str) -> RunningReply | None:
        """The one that is being made under this id, whose ever it is."""
        return self._by_id.get(reply_id)

    def with_key(self, key: str) -> RunningReply | None:
        """The one that is being made for this idempotency key."""
        return self._by_key.get(key)

    def running_in(self, conversation_id: str, principal: Principal) -> RunningReply | None:
        """The one that is being made in a principal's conversation."""
        reply = self._by_conversation.get(conversation_id)
        return reply if reply is not None and reply.record.principal == principal else None

    def refuse_if_busy(self, conversation_id: str, principal: Principal) -> None:
        """Raise `ConversationBusy` if one is being made in a principal's conversation."""
        if (reply := self.running_in(conversation_id, principal)) is not None:
            raise ConversationBusy(reply.reply_id)
