"""Indexes the open replies of this process: those being generated or read."""

import asyncio
from collections.abc import Iterable

from app.chat.access import Principal
from app.chat.errors import ConversationBusy
from app.chat.running import RunningReply
from app.chat.watching import Measures


class Registry:
    """A set of indexes. The code that starts and ends replies keeps them up to date."""

    def __init__(self, measures: Measures) -> None:
        """Start empty; `measures` are told how many there are."""
        self._measures = measures
        self._open: set[RunningReply] = set()
        self._own: set[RunningReply] = set()
        """Those of them that no other instance generates."""
        self._unstored: set[RunningReply] = set()
        """Those that are generated and that nobody can find."""
        self._by_id: dict[str, RunningReply] = {}
        self._by_conversation: dict[str, RunningReply] = {}
        self._by_key: dict[str, RunningReply] = {}
        self._settled = asyncio.Event()

    def __len__(self) -> int:
        """How many replies are open."""
        return len(self._open)

    @property
    def running(self) -> Iterable[RunningReply]:
        """The replies being generated and stored."""
        return self._by_id.values()

    @property
    def all_running(self) -> Iterable[RunningReply]:
        """The replies being generated, at this moment."""
        return (*self._by_id.values(), *self._unstored)

    def add_unstored(self, reply: RunningReply) -> None:
        """Add a reply that is generated for its readers alone."""
        self._add(reply)
        self._unstored.add(reply)
        self._tell()

    def end_unstored(self, reply: RunningReply) -> None:
        """As `end`."""
        self._unstored.discard(reply)
        self._tell()

    def add(self, reply: RunningReply) -> None:
        """Add a reply whose generation starts."""
        record = reply.record
        self._add(reply)
        self._by_id[record.reply_id] = reply
        self._by_conversation[record.conversation_id] = reply
        if record.idempotency is not None:
            self._by_key[record.idempotency.key] = reply
        self._tell()

    def end(self, reply: RunningReply) -> None:
        """Record that its generation has ended; the reply stays open while it has readers."""
        record = reply.record
        del self._by_id[record.reply_id]
        del self._by_conversation[record.conversation_id]
        if record.idempotency is not None:
            del self._by_key[record.idempotency.key]
        self._tell()

    def attach(self, reply: RunningReply) -> None:
        """Add a reader."""
        reply.readers += 1
        self._add(reply)
        self._tell()
        if reply.leaving is not None:
            reply.leaving.cancel()
            reply.leaving = None

    def discard_if_over(self, reply: RunningReply) -> None:
        """Close the reply if it is neither generated nor read any more."""
        if reply.readers == 0 and reply.task is None:
            self._open.discard(reply)
            self._own.discard(reply)
            self._tell()
            if not self._own:
                self._settled.set()

    async def settled(self) -> None:
        """Return when no reply is open, but for those that other instances generate."""
        if self._own:
            self._settled.clear()
            await self._settled.wait()

    def with_id(self, reply_id: str) -> RunningReply | None:
        """The running reply with this id, whoever owns it."""
        return self._by_id.get(reply_id)

    def with_key(self, key: str) -> RunningReply | None:
        """The running reply for this idempotency key."""
        return self._by_key.get(key)

    def running_in(self, conversation_id: str, principal: Principal) -> RunningReply | None:
        """The running reply in a principal's conversation."""
        reply = self._by_conversation.get(conversation_id)
        return reply if reply is not None and reply.record.principal == principal else None

    def refuse_if_busy(self, conversation_id: str, principal: Principal) -> None:
        """Raise `ConversationBusy` if a reply is running in a principal's conversation."""
        if (reply := self.running_in(conversation_id, principal)) is not None:
            raise ConversationBusy(reply.reply_id)

    def _add(self, reply: RunningReply) -> None:
        self._open.add(reply)
        if not reply.is_remote:
            self._own.add(reply)

    def _tell(self) -> None:
        self._measures.replies(len(self._by_id) + len(self._unstored), len(self._open))
