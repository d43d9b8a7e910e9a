"""Deletes conversations with all that belongs to them, and asks other instances to stop what they generate in them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, select
from sqlalchemy.dialects import postgresql

from app.chat.access import Principal
from app.chat.errors import ConversationNotFound
from app.storage.branching import is_of
from app.storage.schema import RUNNING, cancellations, conversations, idempotency_keys, messages

_AT_ONCE = 200
"""So many conversations are purged in one transaction: others want to write too."""


def request_cancellation(connection: Connection, found: Select[Any]) -> list[str]:
    """For each running reply that is found, whoever generates it; returns their ids."""
    return tell_owners(connection, cancellations, found)


def tell_owners(connection: Connection, table: Table, found: Select[Any]) -> list[str]:
    """Put each running reply that is found into a table that its owner empties; returns those that are new there.

    SQLite has one instance, which needs no message.
    """
    if connection.dialect.name != "postgresql":
        return []
    insert = postgresql.insert(table).from_select(["owner", "reply_id"], found.where(RUNNING))
    return list(connection.scalars(insert.on_conflict_do_nothing().returning(table.c.reply_id)).all())


def forget(connection: Connection, conversation_ids: Sequence[str]) -> tuple[int, list[str]]:
    """Delete conversations and all that belongs to them.

    Returns how many there were, and the replies whose instances are asked to cancel them.
    """
    theirs = messages.c.conversation_id.in_(conversation_ids)
    running = request_cancellation(connection, select(messages.c.owner, messages.c.reply_id).where(theirs))
    replies = select(messages.c.reply_id).where(messages.c.conversation_id.in_(conversation_ids))
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.reply_id.in_(replies)))
    gone = connection.execute(delete(conversations).where(conversations.c.id.in_(conversation_ids)))
    return gone.rowcount, running


def forget_one(connection: Connection, conversation_id: str, principal: Principal) -> list[str]:
    """Forget a principal's conversation. Returns the replies that `forget` does; raises `ConversationNotFound`."""
    found = connection.scalars(select(conversations.c.id).where(is_of(conversation_id, principal))).all()
    forgotten, running = forget(connection, found) if found else (0, [])
    if not forgotten:
        raise ConversationNotFound
    return running


def forget_some(connection: Connection, principal: str) -> tuple[Sequence[str], list[str]]:
    """Forget some of a principal's conversations. Returns their ids, and what `forget` does."""
    theirs = select(conversations.c.id).where(conversations.c.principal == principal)
    in_order = theirs.order_by(conversations.c.updated_ms)  # so that the index finds them
    found = connection.scalars(in_order.limit(_AT_ONCE)).all()
    return found, forget(connection, found)[1] if found else []


def purge_step(connection: Connection, older_than_ms: int, principal: str) -> tuple[int, str | None]:
    """One step, and whose turn it is then. To find them by time alone, of all, would take one more index."""
    theirs = select(conversations.c.id).where(conversations.c.principal == principal)
    found = connection.scalars(theirs.where(conversations.c.updated_ms < older_than_ms).limit(_AT_ONCE)).all()
    if found:
        forget(connection, found)
        return len(found), principal
    others = select(conversations.c.principal).where(conversations.c.principal > principal)
    return 0, connection.scalar(others.order_by(conversations.c.principal).limit(1))


def forget_keys(connection: Connection, older_than_ms: int) -> None:
    """Drop idempotency keys that are older."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_ms < older_than_ms))
