"""The store, in SQL: what SQLite and PostgreSQL both understand."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TypeVar

from sqlalchemy import (
    Connection,
    Select,
    and_,
    case,
    func,
    select,
    update,
)

from app.chat.access import EVERYBODY, Principal
from app.chat.errors import StorageUnavailable
from app.chat.requests import Place, Where
from app.chat.stored import (
    ExportedMessage,
    Feedback,
    KeyedReply,
    ListPosition,
    MessagesPage,
    NamedReply,
    Page,
    RatedReply,
    ReplyRecord,
    StoredConversation,
    StoredMessage,
)
from app.chat.terms import query_of
from app.chat.watching import UNMEASURED, Measures, StorageOperation
from app.storage import branching
from app.storage.excerpts import with_excerpts
from app.storage.feedback import give, rated
from app.storage.finding import found_page
from app.storage.forgetting import (
    forget_keys,
    forget_one,
    forget_some,
    purge_step,
    request_cancellation,
    tell_owners,
)
from app.storage.pages import conversation_of, conversations_page, everything_page, message_of, messages_page
from app.storage.schema import RUNNING, conversations, idempotency_keys, messages, readings
from app.storage.searching import SearchIndex
from app.storage.transactions import Transactions, answered
from app.storage.writability import Writability
from app.storage.writer import GroupWriter

Result = TypeVar("Result")

_FAILED = {"failed", "interrupted"}
_NAMED = select(messages.c.reply_id, func.coalesce(conversations.c.alias, conversations.c.id))


class SqlStore:
    """`app.chat.ports.Store`."""

    def __init__(
        self,
        transactions: Transactions,
        writer: GroupWriter,
        writability: Writability | None = None,
        measures: Measures = UNMEASURED,
    ) -> None:
        """`writer` writes replies, with `app.storage.records`; the rest is done here."""
        self._measures = measures
        self._transactions = transactions
        self._writer = writer
        self._writability = writability
        self.search_index = SearchIndex(transactions)

    async def check(self) -> None:
        """Return if the database answers, and would take a write."""

        def read(connection: Connection) -> None:
            connection.execute(select(1))

        await self._connected(read)
        if self._writability is not None:
            await self._writability.check()

    def save(self, record: ReplyRecord) -> "asyncio.Future[None]":
        """Done when what the record said at some moment since the call is safe on disk."""
        return self._writer.save(record)

    async def place(self, where: Where, limit: int, characters: int) -> Place:
        """Where the next turn goes, and the last messages before it, oldest first, within bounds."""

        def read(connection: Connection) -> Place:
            return branching.place(connection, where, limit, characters)

        return await self._connected(read)

    async def reply(self, reply_id: str, principal: Principal) -> tuple[str, StoredMessage] | None:
        """A reply and its conversation's id."""

        def read(connection: Connection) -> tuple[str, StoredMessage] | None:
            of_theirs = (messages.c.reply_id == reply_id, conversations.c.principal == principal.name)
            found = connection.execute(select(messages).join(conversations).where(*of_theirs))
            row = found.mappings().one_or_none()
            return (row["conversation_id"], message_of(row)) if row else None

        return await self._connected(read)

    async def running(self, principal: Principal, conversation_id: str | None = None) -> Sequence[str]:
        """A principal's replies that any instance generates: all of them, or those in one conversation."""
        found = select(messages.c.reply_id).join(conversations).where(RUNNING)
        found = found.where(conversations.c.principal == principal.name)
        if conversation_id is not None:
            found = found.where(conversations.c.id == conversation_id)

        def read(connection: Connection) -> Sequence[str]:
            return connection.scalars(found).all()

        return await self._connected(read)

    async def request_cancellation(self, reply_id: str, principal: Principal) -> None:
        """Ask the instance that generates a principal's running reply to cancel it."""
        theirs = (messages.c.reply_id == reply_id, conversations.c.principal == principal.name)

        def write(connection: Connection) -> None:
            found = select(messages.c.owner, messages.c.reply_id).join(conversations)
            request_cancellation(connection, found.where(*theirs))

        await self._connected(write, "write")

    async def note_readers(self, reply_ids: Sequence[str]) -> None:
        """Tell the instances that generate these replies that they are read."""
        found = select(messages.c.owner, messages.c.reply_id).where(messages.c.reply_id.in_(reply_ids))

        def write(connection: Connection) -> None:
            tell_owners(connection, readings, found)

        await self._connected(write, "write")

    async def is_left_to(self, heir: str, reply_id: str) -> bool:
        """Whether a dead instance's reply runs on as this one's."""
        found = select(messages.c.reply_id).where(RUNNING, messages.c.reply_id == reply_id, messages.c.owner == heir)
        return await self._connected(lambda connection: connection.scalar(found) is not None)

    async def end_interrupted(self, reply_id: str, words: list[str]) -> None:
        """End a dead instance's reply as interrupted, with these words if it has fewer."""
        is_shorter = func.coalesce(messages.c.words, 0) < len(words)
        is_over = and_(messages.c.reply_id == reply_id, RUNNING)
        end = {
            "state": "interrupted",
            "text": case((is_shorter, "".join(words)), else_=messages.c.text),
            "words": case((is_shorter, len(words)), else_=messages.c.words),
        }

        def write(connection: Connection) -> None:
            connection.execute(update(messages).where(is_over).values(end))

        await self._connected(write, "write")

    async def reply_for(self, key: str) -> KeyedReply | None:
        """The reply that an idempotency key got."""
        query = (
            select(idempotency_keys.c.fingerprint, messages)
            .join(messages, messages.c.reply_id == idempotency_keys.c.reply_id)
            .where(idempotency_keys.c.key == key)
        )

        def read(connection: Connection) -> KeyedReply | None:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            position = row.position - 1  # of the message that it answers
            return KeyedReply(row.fingerprint, row.reply_id, row.conversation_id, position, row.state in _FAILED)

        return await self._connected(read)

    async def named(self, reply_id: str, principal: Principal) -> NamedReply | None:
        """A reply."""
        theirs = (messages.c.reply_id == reply_id, conversations.c.principal == principal.name)
        return await self._only(_NAMED.select_from(messages).join(conversations).where(*theirs))

    async def only_for(self, beginning: str) -> NamedReply | None:
        """The reply that the only idempotency key got which begins so."""
        key = idempotency_keys.c.key
        begins_so = and_(key >= beginning, key < f"{beginning}g")  # digits end at f
        of_key = _NAMED.select_from(idempotency_keys).join(messages, messages.c.reply_id == idempotency_keys.c.reply_id)
        return await self._only(of_key.join(conversations).where(begins_so))

    async def _only(self, query: Select[str, str]) -> NamedReply | None:
        def read(connection: Connection) -> NamedReply | None:
            rows = connection.execute(query.limit(2)).all()
            return NamedReply(*rows[0]) if len(rows) == 1 else None

        return await self._connected(read)

    async def conversations(
        self, principal: Principal, limit: int, cursor: ListPosition | None, words: str | None = None
    ) -> Page[StoredConversation, ListPosition]:
        """A page of conversations, the one that was last spoken in first."""
        if words is None:
            return await self._connected(lambda connection: conversations_page(connection, principal, limit, cursor))
        wanted = query_of(words)
        if not wanted:
            return Page((), None)
        with suppress(StorageUnavailable):  # what is indexed can be found even if the database takes no writes
            await self.search_index.catch_up(principal)
        page = await self._connected(lambda connection: found_page(connection, principal, limit, cursor, wanted))
        return await with_excerpts(self._transactions, page, wanted)

    async def messages(
        self, conversation_id: str, principal: Principal | None, page: MessagesPage
    ) -> tuple[StoredConversation, Page[StoredMessage, int]]:
        """A conversation and a page of a branch's messages; the cursor is the position of the first one."""
        return await self._connected(lambda connection: messages_page(connection, conversation_id, principal, page))

    async def everything(
        self, conversation_id: str, principal: Principal | None, limit: int, cursor: int
    ) -> tuple[StoredConversation, Page[ExportedMessage, int]]:
        """A conversation and a page of the messages of all branches."""
        return await self._connected(
            lambda connection: everything_page(connection, conversation_id, principal, limit, cursor)
        )

    async def give_feedback(self, reply_id: str, principal: Principal, feedback: Feedback | None, now_ms: int) -> None:
        """Store feedback, or withdraw it."""
        await self._connected(lambda connection: give(connection, reply_id, principal, feedback, now_ms))

    async def rated(self, after: str, limit: int) -> Sequence[RatedReply]:
        """Replies with feedback, of all principals, by their ids."""
        return await self._connected(lambda connection: rated(connection, after, limit))

    async def update(
        self,
        conversation_id: str,
        principal: Principal,
        *,
        title: str | None = None,
        instead_of: str | None = None,
        branch: str | None = None,
    ) -> StoredConversation:
        """Rename a conversation, and choose its branch."""

        def write(connection: Connection) -> StoredConversation:
            known = branching.tree(connection, conversation_id, principal)
            changed: dict[str, object] = {} if branch is None else {**known.choice(connection, branch)}
            if title is not None:
                changed |= {"title": title, "searched_ms": -1}
            change = update(conversations).where(conversations.c.id == conversation_id).values(changed)
            if instead_of is not None:  # others may be renaming it
                change = change.where(conversations.c.title == instead_of)
            is_changed = bool(changed) and connection.execute(change).rowcount > 0
            conversation = conversation_of(known.row)
            return replace(conversation, title=title) if title is not None and is_changed else conversation

        return await self._connected(write, "write")

    async def delete(self, conversation_id: str, principal: Principal) -> list[str]:
        """Forget a conversation and all that was said in it."""
        step = partial(forget_one, conversation_id=conversation_id, principal=principal)
        return await self._connected(step, "write")

    async def delete_some(self, principal: Principal) -> tuple[Sequence[str], list[str]]:
        """Forget some of a principal's conversations."""
        return await self._connected(partial(forget_some, principal=principal.name), "write")

    async def purge(self, older_than_ms: int) -> int:
        """Forget conversations that nobody has spoken in since. Returns how many."""
        purged = 0
        principal: str | None = EVERYBODY.name  # the first of all
        while principal is not None:
            step = partial(purge_step, older_than_ms=older_than_ms, principal=principal)
            count, principal = await self._connected(step, "write")
            purged += count
        return purged

    async def forget_keys(self, older_than_ms: int) -> None:
        """Drop idempotency keys that are too old to be repeated."""
        await self._connected(partial(forget_keys, older_than_ms=older_than_ms), "write")

    async def _connected(self, work: Callable[[Connection], Result], operation: StorageOperation = "read") -> Result:
        began_at = perf_counter()
        try:
            return await answered(self._transactions, work)
        finally:
            self._measures.stored(operation, perf_counter() - began_at)
