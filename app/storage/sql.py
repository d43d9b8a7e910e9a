"""The store, in SQL: what SQLite and PostgreSQL both understand."""

import asyncio
import base64
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import BigInteger, ColumnElement, Connection, String, delete, literal, select, tuple_
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import SQLAlchemyError

from app.chat.errors import ConversationBusy, ConversationNotFound, PageCursorMalformed, StorageUnavailable
from app.chat.model import Message, Page, ReplyRecord, StoredConversation, StoredKey, StoredMessage, Usage
from app.storage.schema import conversations, idempotency_keys, messages
from app.storage.transactions import Transactions
from app.storage.writer import GroupWriter

Result = TypeVar("Result")

_AT_ONCE = 200
"""So many conversations are purged in one transaction: others want to write too."""

_CURSOR = re.compile("([a-z]+):([0-9]{1,13}):([0-9a-f]{32})")
_MAX_POSITION = 2**31 - 1


class SqlStore:
    """`app.chat.model.Store`."""

    def __init__(self, transactions: Transactions, writer: GroupWriter) -> None:
        """`writer` writes replies, with `app.storage.records`; the rest is done here."""
        self._transactions = transactions
        self._writer = writer

    async def check(self) -> None:
        """Return if the database answers."""

        def read(connection: Connection) -> None:
            connection.execute(select(1))

        await self._connected(read)

    def save(self, record: ReplyRecord) -> "asyncio.Future[None]":
        """Done when what the record said at some moment since the call is safe on disk."""
        return self._writer.save(record)

    async def history(self, conversation_id: str, limit: int, characters: int) -> tuple[int, tuple[Message, ...]]:
        """How many messages a conversation has, and the last of them, oldest first, within bounds."""

        def read(connection: Connection) -> tuple[int, tuple[Message, ...]]:
            newest_first = (
                select(messages.c.position, messages.c.role, messages.c.text, messages.c.state, messages.c.reply_id)
                .where(messages.c.conversation_id == conversation_id)
                .order_by(messages.c.position.desc())
                .limit(max(limit, 1))
            )
            rows = connection.execute(newest_first).all()
            if not rows:
                raise ConversationNotFound
            if rows[0].state == "running":
                raise ConversationBusy(rows[0].reply_id)
            history: list[Message] = []
            room = characters
            for row in rows[:limit]:
                room -= len(row.text)
                if room < 0:
                    break
                if row.text:  # a reply may have failed before its first word
                    history.insert(0, Message(row.role, row.text))
            return rows[0].position + 1, tuple(history)

        return await self._connected(read)

    async def reply(self, reply_id: str) -> tuple[str, StoredMessage] | None:
        """A reply and its conversation's id."""

        def read(connection: Connection) -> tuple[str, StoredMessage] | None:
            found = connection.execute(select(messages).where(messages.c.reply_id == reply_id))
            row = found.mappings().one_or_none()
            return (row["conversation_id"], _message(row)) if row else None

        return await self._connected(read)

    async def reply_for(self, key: str) -> StoredKey | None:
        """What came with an idempotency key, and what became of it."""
        query = (
            select(idempotency_keys.c.fingerprint, idempotency_keys.c.reply_id, messages.c.state, messages.c.text)
            .join(messages, messages.c.reply_id == idempotency_keys.c.reply_id)
            .where(idempotency_keys.c.key == key)
        )

        def read(connection: Connection) -> StoredKey | None:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            return StoredKey(row.fingerprint, row.reply_id, row.state in {"failed", "interrupted"} and not row.text)

        return await self._connected(read)

    async def forget_key(self, reply_id: str) -> None:
        """Let the idempotency key that a reply came with be used again."""
        await self._deleted(idempotency_keys.c.reply_id == reply_id)

    async def conversations(self, limit: int, cursor: str | None) -> Page[StoredConversation]:
        """A page of conversations, the one that was last spoken in first."""
        order = tuple_(conversations.c.updated_ms, conversations.c.id)
        query = select(conversations).order_by(conversations.c.updated_ms.desc(), conversations.c.id.desc())
        if cursor is not None:
            updated_ms, conversation_id = _decoded("list", cursor)
            query = query.where(order < tuple_(literal(updated_ms, BigInteger), literal(conversation_id, String)))

        def read(connection: Connection) -> Page[StoredConversation]:
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
            items = tuple(_conversation(row) for row in rows[:limit])
            more = len(rows) > limit
            return Page(items, _encoded("list", items[-1].updated_ms, items[-1].conversation_id) if more else None)

        return await self._connected(read)

    async def messages(
        self, conversation_id: str, limit: int, cursor: str | None
    ) -> tuple[StoredConversation, Page[StoredMessage]]:
        """A conversation and a page of its messages, oldest first."""
        start, of = _decoded("of", cursor) if cursor is not None else (0, conversation_id)
        if of != conversation_id or start > _MAX_POSITION:
            raise PageCursorMalformed

        def read(connection: Connection) -> tuple[StoredConversation, Page[StoredMessage]]:
            found = connection.execute(select(conversations).where(conversations.c.id == conversation_id))
            conversation = found.mappings().one_or_none()
            if conversation is None:
                raise ConversationNotFound
            query = (
                select(messages)
                .where(messages.c.conversation_id == conversation_id, messages.c.position >= start)
                .order_by(messages.c.position)
                .limit(limit + 1)
            )
            rows = connection.execute(query).mappings().all()
            items = tuple(_message(row) for row in rows[:limit])
            more = len(rows) > limit
            return _conversation(conversation), Page(
                items, _encoded("of", rows[limit]["position"], conversation_id) if more else None
            )

        return await self._connected(read)

    async def delete(self, conversation_id: str) -> None:
        """Forget a conversation and all that was said in it."""

        def write(connection: Connection) -> None:
            if not _forget(connection, [conversation_id]):
                raise ConversationNotFound

        await self._connected(write)

    async def purge(self, older_than_ms: int) -> int:
        """Forget conversations that nobody has spoken in since. Returns how many."""
        old = select(conversations.c.id).where(conversations.c.updated_ms < older_than_ms).limit(_AT_ONCE)

        def write(connection: Connection) -> int:
            found = connection.scalars(old).all()
            if found:
                _forget(connection, found)
            return len(found)

        purged = 0
        while count := await self._connected(write):
            purged += count
        return purged

    async def forget_keys(self, older_than_ms: int) -> None:
        """Drop idempotency keys that are too old to be repeated."""
        await self._deleted(idempotency_keys.c.created_ms < older_than_ms)

    async def _deleted(self, which: ColumnElement[bool]) -> None:
        def write(connection: Connection) -> None:
            connection.execute(delete(idempotency_keys).where(which))

        await self._connected(write)

    async def _connected(self, work: Callable[[Connection], Result]) -> Result:
        try:
            return await self._transactions.run(work)
        except (SQLAlchemyError, OSError, TimeoutError):
            # A database's message repeats the values that it was given: it goes no further.
            raise StorageUnavailable from None


def _conversation(row: RowMapping) -> StoredConversation:
    return StoredConversation(row["id"], row["title"], row["created_ms"], row["updated_ms"])


def _message(row: RowMapping) -> StoredMessage:
    names = ("role", "text", "created_ms", "reply_id", "state", "finish_reason", "error_code")
    prompt_tokens, completion_tokens = row["prompt_tokens"], row["completion_tokens"]
    usage = None if prompt_tokens is None else Usage(prompt_tokens, completion_tokens)
    return StoredMessage(**{name: row[name] for name in names}, usage=usage)


def _forget(connection: Connection, conversation_ids: Sequence[str]) -> int:
    """Delete conversations and all that belongs to them. Returns how many there were."""
    replies = select(messages.c.reply_id).where(messages.c.conversation_id.in_(conversation_ids))
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.reply_id.in_(replies)))
    gone = connection.execute(delete(conversations).where(conversations.c.id.in_(conversation_ids)))
    return gone.rowcount


def _encoded(pages: str, number: int, name: str) -> str:
    return base64.urlsafe_b64encode(f"{pages}:{number}:{name}".encode()).decode().rstrip("=")


def _decoded(pages: str, cursor: str) -> tuple[int, str]:
    """What was encoded, for pages of this kind; nothing else is taken, however near it may be."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        raise PageCursorMalformed from None
    match = _CURSOR.fullmatch(text)
    if match is None or _encoded(pages, int(match[2]), match[3]) != cursor:
        raise PageCursorMalformed
    return int(match[2]), match[3]
