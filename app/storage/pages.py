"""Pages of conversations and of their messages, each read on one connection."""

from collections.abc import Iterator, Sequence

from sqlalchemy import BigInteger, Connection, String, literal, select, tuple_
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
from app.storage.searching import matching


def conversations_page(
    connection: Connection,
    principal: Principal,
    limit: int,
    cursor: ListPosition | None,
    words: list[str] | None,
) -> Page[StoredConversation, ListPosition]:
    """The conversations with all these `words`, if any; the one that was last spoken in first."""
    columns = conversations.c
    query = select(conversations).where(columns.principal == principal.name)
    query = query.order_by(columns.updated_ms.desc(), columns.id.desc())
    if cursor is not None:
        position = tuple_(literal(cursor.updated_ms, BigInteger), literal(cursor.conversation_id, String))
        query = query.where(tuple_(columns.updated_ms, columns.id) < position)
    if words is not None:
        found = matching(principal, words, connection.dialect.name)
        query = query.join(found, found.c.conversation_id == columns.id)
    rows = connection.execute(query.limit(limit + 1)).mappings().all()
    items = tuple(conversation_of(row) for row in rows[:limit])
    more = len(rows) > limit
    return Page(items, ListPosition(items[-1].updated_ms, items[-1].conversation_id) if more else None)


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
