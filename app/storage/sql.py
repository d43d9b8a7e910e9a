"""The store, in SQL: what SQLite and PostgreSQL both understand."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    String,
    and_,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.engine import RowMapping

from app.chat.access import EVERYBODY, Principal
from app.chat.branches import ROOT
from app.chat.branches import page as positions_of
from app.chat.errors import ConversationNotFound, StorageUnavailable
from app.chat.model import (
    ExportedMessage,
    Feedback,
    Fork,
    KeyedReply,
    ListPosition,
    MessagesPage,
    Page,
    Place,
    RatedReply,
    ReplyRecord,
    StoredConversation,
    StoredMessage,
    Usage,
    Where,
)
from app.chat.terms import query_of
from app.chat.watching import UNMEASURED, Measures, StorageOperation
from app.storage import branching
from app.storage.feedback import give, on_replies, rated
from app.storage.forgetting import forget, forget_some, purge_step, request_cancellation, tell_owners
from app.storage.schema import RUNNING, conversations, idempotency_keys, messages, readings
from app.storage.searching import SearchIndex, matching
from app.storage.transactions import Transactions, answered
from app.storage.writability import Writability
from app.storage.writer import GroupWriter

Result = TypeVar("Result")

_FAILED = {"failed", "interrupted"}


class SqlStore:
    """`app.chat.model.Store`."""

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
            return (row["conversation_id"], _message(row)) if row else None

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

    async def restore(self, reply_id: str, words: list[str]) -> None:
        """Give an interrupted reply these words, if it has fewer."""
        is_shorter = and_(
            messages.c.reply_id == reply_id,
            messages.c.state == "interrupted",
            func.coalesce(messages.c.words, 0) < len(words),
        )

        def write(connection: Connection) -> None:
            connection.execute(update(messages).where(is_shorter).values(text="".join(words), words=len(words)))

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

    async def conversations(
        self, principal: Principal, limit: int, cursor: ListPosition | None, words: str | None = None
    ) -> Page[StoredConversation, ListPosition]:
        """A page of conversations, the one that was last spoken in first."""
        wanted = None if words is None else query_of(words)
        if wanted == []:
            return Page((), None)
        if wanted is not None:
            with suppress(StorageUnavailable):  # what is indexed can be found even if the database takes no writes
                await self.search_index.catch_up(principal)
        columns = conversations.c
        newest_first = select(conversations).where(columns.principal == principal.name)
        newest_first = newest_first.order_by(columns.updated_ms.desc(), columns.id.desc())
        if cursor is not None:
            position = tuple_(literal(cursor.updated_ms, BigInteger), literal(cursor.conversation_id, String))
            newest_first = newest_first.where(tuple_(columns.updated_ms, columns.id) < position)

        def read(connection: Connection) -> Page[StoredConversation, ListPosition]:
            query = newest_first
            if wanted is not None:
                found = matching(principal, wanted, connection.dialect.name)
                query = query.join(found, found.c.conversation_id == columns.id)
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
            items = tuple(_conversation(row) for row in rows[:limit])
            more = len(rows) > limit
            return Page(items, ListPosition(items[-1].updated_ms, items[-1].conversation_id) if more else None)

        return await self._connected(read)

    async def messages(
        self, conversation_id: str, principal: Principal | None, page: MessagesPage
    ) -> tuple[StoredConversation, Page[StoredMessage, int]]:
        """A conversation and a page of a branch's messages; the cursor is the position of the first one."""

        def read(connection: Connection) -> tuple[StoredConversation, Page[StoredMessage, int]]:
            known = branching.tree(connection, conversation_id, principal)
            path = known.path(connection, page.branch)
            found = positions_of(path, page.cursor, page.limit + 1, newest_first=page.newest_first)
            positions = found[: page.limit]
            query = select(messages).where(messages.c.conversation_id == conversation_id, branching.at(positions))
            rows = {row["position"]: row for row in connection.execute(query).mappings()} if positions else {}
            items = tuple(_messages(connection, known, [rows[place] for place in positions if place in rows]))
            return _conversation(known.row), Page(items, found[page.limit] if len(found) > page.limit else None)

        return await self._connected(read)

    async def everything(
        self, conversation_id: str, principal: Principal | None, limit: int, cursor: int
    ) -> tuple[StoredConversation, Page[ExportedMessage, int]]:
        """A conversation and a page of the messages of all branches."""
        columns = messages.c
        there = select(messages).where(columns.conversation_id == conversation_id, columns.position >= cursor)

        def read(connection: Connection) -> tuple[StoredConversation, Page[ExportedMessage, int]]:
            known = branching.tree(connection, conversation_id, principal)
            chosen = known.path(connection)
            rows = connection.execute(there.order_by(columns.position).limit(limit + 1)).mappings().all()
            items: list[ExportedMessage] = []
            for row, message in zip(rows, _messages(connection, known, rows[:limit]), strict=False):
                position = row["position"]
                parent = known.branches.parent(position)
                is_chosen = any(position in run for run in chosen)
                items.append(ExportedMessage(position, None if parent == ROOT else parent, is_chosen, message))
            next_cursor = rows[limit]["position"] if len(rows) > limit else None
            return _conversation(known.row), Page(tuple(items), next_cursor)

        return await self._connected(read)

    async def give_feedback(self, reply_id: str, principal: Principal, feedback: Feedback | None, now_ms: int) -> None:
        """Store feedback, or withdraw it."""
        await self._connected(lambda connection: give(connection, reply_id, principal, feedback, now_ms))

    async def rated(self, after: str, limit: int) -> Sequence[RatedReply]:
        """Replies with feedback, of all principals, by their ids."""
        return await self._connected(lambda connection: rated(connection, after, limit))

    async def update(
        self, conversation_id: str, principal: Principal, *, title: str | None = None, branch: str | None = None
    ) -> StoredConversation:
        """Rename a conversation, and choose its branch."""

        def write(connection: Connection) -> StoredConversation:
            known = branching.tree(connection, conversation_id, principal)
            changed: dict[str, object] = {} if branch is None else {**known.choice(connection, branch)}
            conversation = _conversation(known.row)
            if title is not None:
                conversation = replace(conversation, title=title)
                changed |= {"title": title, "searched_ms": -1}
            connection.execute(update(conversations).where(conversations.c.id == conversation_id).values(changed))
            return conversation

        return await self._connected(write, "write")

    async def delete(self, conversation_id: str, principal: Principal) -> list[str]:
        """Forget a conversation and all that was said in it."""

        def write(connection: Connection) -> list[str]:
            theirs = connection.scalars(
                select(conversations.c.id).where(branching.is_of(conversation_id, principal))
            ).all()
            forgotten, running = forget(connection, theirs) if theirs else (0, [])
            if not forgotten:
                raise ConversationNotFound
            return running

        return await self._connected(write, "write")

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
        await self._deleted(idempotency_keys.c.created_ms < older_than_ms)

    async def _deleted(self, which: ColumnElement[bool]) -> None:
        def write(connection: Connection) -> None:
            connection.execute(delete(idempotency_keys).where(which))

        await self._connected(write, "write")

    async def _connected(self, work: Callable[[Connection], Result], operation: StorageOperation = "read") -> Result:
        began_at = perf_counter()
        try:
            return await answered(self._transactions, work)
        finally:
            self._measures.stored(operation, perf_counter() - began_at)


def _conversation(row: RowMapping) -> StoredConversation:
    return StoredConversation(row["id"], row["title"], row["created_ms"], row["updated_ms"], row["alias"])


def _messages(connection: Connection, known: branching.Tree, rows: Sequence[RowMapping]) -> Iterator[StoredMessage]:
    """With their forks and feedback."""
    forks = known.forks(connection, [row["position"] for row in rows])
    ratings = on_replies(connection, [row["reply_id"] for row in rows if row["reply_id"]])
    for row in rows:
        yield _message(row, forks.get(row["position"]), ratings.get(row["reply_id"]))


def _message(row: RowMapping, fork: Fork | None = None, feedback: Feedback | None = None) -> StoredMessage:
    names = ("role", "text", "created_ms", "reply_id", "state", "finish_reason", "error_code", "words")
    prompt_tokens, completion_tokens = row["prompt_tokens"], row["completion_tokens"]
    usage = None if prompt_tokens is None else Usage(prompt_tokens, completion_tokens)
    return StoredMessage(**{name: row[name] for name in names}, usage=usage, fork=fork, feedback=feedback)
