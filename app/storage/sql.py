"""The store, in SQL: what SQLite and PostgreSQL both understand."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy import BigInteger, ColumnElement, String, delete, literal, select, tuple_
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.chat.errors import ConversationBusy, ConversationNotFound, PageCursorMalformed, StorageUnavailable
from app.chat.model import Message, Page, ReplyRecord, StoredConversation, StoredKey, StoredMessage
from app.storage.schema import conversations, idempotency_keys, messages
from app.storage.writer import GroupWriter

Result = TypeVar("Result")

_AT_ONCE = 200
"""So many conversations are purged in one transaction: others want to write too."""

_CURSOR = re.compile("([a-z]+):([0-9]{1,13}):([0-9a-f]{32})")
_MAX_POSITION = 2**31 - 1


class SqlStore:
    """`app.chat.model.Store`."""

    def __init__(self, engine: AsyncEngine, writer: GroupWriter, patience_seconds: float) -> None:
        """`writer` writes with `app.storage.records`; anything else may take `patience_seconds`."""
        self._engine = engine
        self._writer = writer
        self._patience_seconds = patience_seconds

    async def check(self) -> None:
        """Return if the database answers."""

        async def read(connection: AsyncConnection) -> None:
            await connection.execute(select(1))

        await self._connected(read)

    def save(self, record: ReplyRecord) -> "asyncio.Future[None]":
        """Done when what the record said at some moment since the call is safe on disk."""
        return self._writer.save(record)

    async def history(self, conversation_id: str, limit: int, characters: int) -> tuple[int, tuple[Message, ...]]:
        """How many messages a conversation has, and the last of them, oldest first, within bounds."""

        async def read(connection: AsyncConnection) -> tuple[int, tuple[Message, ...]]:
            newest_first = (
                select(messages.c.position, messages.c.role, messages.c.text, messages.c.state, messages.c.reply_id)
                .where(messages.c.conversation_id == conversation_id)
                .order_by(messages.c.position.desc())
                .limit(max(limit, 1))
            )
            rows = (await connection.execute(newest_first)).all()
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

        async def read(connection: AsyncConnection) -> tuple[str, StoredMessage] | None:
            found = await connection.execute(select(messages).where(messages.c.reply_id == reply_id))
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

        async def read(connection: AsyncConnection) -> StoredKey | None:
            row = (await connection.execute(query)).one_or_none()
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

        async def read(connection: AsyncConnection) -> Page[StoredConversation]:
            rows = (await connection.execute(query.limit(limit + 1))).mappings().all()
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

        async def read(connection: AsyncConnection) -> tuple[StoredConversation, Page[StoredMessage]]:
            found = await connection.execute(select(conversations).where(conversations.c.id == conversation_id))
            conversation = found.mappings().one_or_none()
            if conversation is None:
                raise ConversationNotFound
            query = (
                select(messages)
                .where(messages.c.conversation_id == conversation_id, messages.c.position >= start)
                .order_by(messages.c.position)
                .limit(limit + 1)
            )
            rows = (await connection.execute(query)).mappings().all()
            items = tuple(_message(row) for row in rows[:limit])
            more = len(rows) > limit
            return _conversation(conversation), Page(
                items, _encoded("of", rows[limit]["position"], conversation_id) if more else None
            )

        return await self._connected(read)

    async def delete(self, conversation_id: str) -> None:
        """Forget a conversation and all that was said in it."""

        async def write(connection: AsyncConnection) -> None:
            if not await _forget(connection, [conversation_id]):
                raise ConversationNotFound
            await connection.commit()

        await self._connected(write)

    async def purge(self, older_than_ms: int) -> int:
        """Forget conversations that nobody has spoken in since. Returns how many."""
        old = select(conversations.c.id).where(conversations.c.updated_ms < older_than_ms).limit(_AT_ONCE)

        async def write(connection: AsyncConnection) -> int:
            found = (await connection.scalars(old)).all()
            if found:
                await _forget(connection, found)
                await connection.commit()
            return len(found)

        purged = 0
        while count := await self._connected(write):
            purged += count
        return purged

    async def forget_keys(self, older_than_ms: int) -> None:
        """Drop idempotency keys that are too old to be repeated."""
        await self._deleted(idempotency_keys.c.created_ms < older_than_ms)

    async def _deleted(self, which: ColumnElement[bool]) -> None:
        async def write(connection: AsyncConnection) -> None:
            await connection.execute(delete(idempotency_keys).where(which))
            await connection.commit()

        await self._connected(write)

    async def _connected(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        try:
            async with asyncio.timeout(self._patience_seconds), self._engine.connect() as connection:
                return await work(connection)
        except (SQLAlchemyError, OSError, TimeoutError):
            # A database's message repeats the values that it was given: it goes no further.
            raise StorageUnavailable from None


def _conversation(row: RowMapping) -> StoredConversation:
    return StoredConversation(row["id"], row["title"], row["created_ms"], row["updated_ms"])


def _message(row: RowMapping) -> StoredMessage:
    names = ("role", "text", "created_ms", "reply_id", "state", "finish_reason", "error_code")
    return StoredMessage(**{name: row[name] for name in names})


async def _forget(connection: AsyncConnection, conversation_ids: Sequence[str]) -> int:
    """Delete conversations and all that belongs to them. Returns how many there were."""
    replies = select(messages.c.reply_id).where(messages.c.conversation_id.in_(conversation_ids))
    await connection.execute(delete(idempotency_keys).where(idempotency_keys.c.reply_id.in_(replies)))
    gone = await connection.execute(delete(conversations).where(conversations.c.id.in_(conversation_ids)))
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
