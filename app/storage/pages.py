"""Pages of conversations and of their messages, each read on one connection."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, String, literal, select, tuple_
from sqlalchemy.engine import RowMapping

from app.chat.access import Principal
from app.chat.branches import ROOT
from app.chat.branches import page as positions_of
from app.chat.model import Usage
from app.chat.stored import (
    ExportedMessage,
    Feedback,
    Fork,
    ListPosition,
    MessagesPage,
    Page,
    StoredConversation,
    StoredMessage,
)
from app.storage import branching
from app.storage.feedback import on_replies
from app.storage.schema import conversations, messages

NEWEST_FIRST = (conversations.c.updated_ms.desc(), conversations.c.id.desc())
"""The order of the list of conversations."""


def conversations_page(
    connection: Connection, principal: Principal, limit: int, cursor: ListPosition | None
) -> Page[StoredConversation, ListPosition]:
    """The conversations; the one that was last spoken in first."""
    columns = conversations.c
    query = select(conversations).where(columns.principal == principal.name).order_by(*NEWEST_FIRST)
    if cursor is not None:
        position = tuple_(literal(cursor.updated_ms, BigInteger), literal(cursor.conversation_id, String))
        query = query.where(tuple_(columns.updated_ms, columns.id) < position)
    return page_of(connection.execute(query.limit(limit + 1)).all(), limit)


def page_of(rows: Sequence[Row[Any]], limit: int) -> Page[StoredConversation, ListPosition]:
    """A page of conversations; there is a next one if there are more `rows` than it takes."""
    items = tuple(conversation_of(row._mapping) for row in rows[:limit])  # noqa: SLF001 - public in spite of its name
    return Page(items, position_of(rows[limit - 1]) if len(rows) > limit else None)


def position_of(row: Row[Any]) -> ListPosition:
    """Of a row of the table `conversations`."""
    return ListPosition(row.updated_ms, row.id)


def messages_page(
    connection: Connection, conversation_id: str, principal: Principal | None, page: MessagesPage
) -> tuple[StoredConversation, Page[StoredMessage, int]]:
    """A conversation and a page of a branch's messages; the cursor is the position of the first one."""
    known = branching.tree(connection, conversation_id, principal)
    path = known.path(connection, page.branch)
    found = positions_of(path, page.cursor, page.limit + 1, newest_first=page.newest_first)
    positions = found[: page.limit]
    query = select(messages).where(messages.c.conversation_id == conversation_id, branching.at(positions))
    rows = {row["position"]: row for row in connection.execute(query).mappings()} if positions else {}
    items = tuple(_messages(connection, known, [rows[place] for place in positions if place in rows]))
    return conversation_of(known.row), Page(items, found[page.limit] if len(found) > page.limit else None)


def everything_page(
    connection: Connection, conversation_id: str, principal: Principal | None, limit: int, cursor: int
) -> tuple[StoredConversation, Page[ExportedMessage, int]]:
    """A conversation and a page of the messages of all branches."""
    columns = messages.c
    there = select(messages).where(columns.conversation_id == conversation_id, columns.position >= cursor)
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
    return conversation_of(known.row), Page(tuple(items), next_cursor)


def conversation_of(row: RowMapping) -> StoredConversation:
    """A row of the table `conversations`."""
    return StoredConversation(row["id"], row["title"], row["created_ms"], row["updated_ms"], row["alias"])


def _messages(connection: Connection, known: branching.Tree, rows: Sequence[RowMapping]) -> Iterator[StoredMessage]:
    """With their forks and feedback."""
    forks = known.forks(connection, [row["position"] for row in rows])
    ratings = on_replies(connection, [row["reply_id"] for row in rows if row["reply_id"]])
    for row in rows:
        yield message_of(row, forks.get(row["position"]), ratings.get(row["reply_id"]))


def message_of(row: RowMapping, fork: Fork | None = None, feedback: Feedback | None = None) -> StoredMessage:
    """A row of the table `messages`."""
    names = ("role", "text", "created_ms", "reply_id", "state", "finish_reason", "error_code", "words")
    prompt_tokens, completion_tokens = row["prompt_tokens"], row["completion_tokens"]
    usage = None if prompt_tokens is None else Usage(prompt_tokens, completion_tokens)
    return StoredMessage(**{name: row[name] for name in names}, usage=usage, fork=fork, feedback=feedback)
