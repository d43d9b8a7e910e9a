"""Keeps the index of titles and texts up to date: when somebody searches, and now and then.

So a message costs nothing more to store, and what an older version of the service stores is found as well. A search
first indexes what its principal has said since the last one; `app.storage.finding` then looks for it.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from sqlalchemy import Connection, String, cast, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import TSVECTOR

from app.chat.access import Principal
from app.chat.terms import terms_of
from app.storage.schema import UNSEARCHED, conversations, messages, search_documents
from app.storage.transactions import Transactions, answered

_AT_ONCE = 20
_MESSAGES_AT_ONCE = 200
_MOST_BEFORE_A_SEARCH = 1_000
"""So many conversations are indexed while a search waits; the others are found later."""
_MOST_CHARACTERS = 2_000_000
"""Of one conversation; its latest messages are left out."""


@dataclass(frozen=True, slots=True)
class _Unsearched:
    conversation_id: str
    title: str
    updated_ms: int
    principal: str


@dataclass(frozen=True, slots=True)
class _Document:
    of: _Unsearched
    terms: str
    is_over: bool
    """Whether no reply was running in it, whose text would grow."""


class SearchIndex:
    """Keeps the index up to date."""

    def __init__(self, transactions: Transactions) -> None:
        """Where it is."""
        self._transactions = transactions

    async def catch_up(self, principal: Principal | None = None, *, busy: float = 1.0) -> None:
        """Index what has been said since the last time, by this principal or by all. Raises `StorageUnavailable`.

        It works for this part of the time, and rests in between: nobody waits for the index of all.
        """
        after = ("" if principal is None else principal.name, "")
        count = 0
        while principal is None or count < _MOST_BEFORE_A_SEARCH:
            began = perf_counter()
            found = await answered(self._transactions, partial(_unsearched, principal=principal, after=after))
            documents = [await self._document(one) for one in found]
            if documents:
                await self._write(documents, waits=principal is not None)
            if len(found) < _AT_ONCE:
                return
            count += len(found)
            after = (found[-1].principal, found[-1].conversation_id)
            await asyncio.sleep((perf_counter() - began) * (1 / busy - 1))

    async def _write(self, documents: Sequence[_Document], *, waits: bool) -> None:
        """Write those whose conversations nobody else is writing; with `waits` the others as well, one by one.

        Others lock conversations in any order: to wait for one while holding others could block both for ever.
        """
        held = await answered(self._transactions, partial(_write, documents=documents, skips=True))
        if waits:  # for a search, which finds what has been said before it
            for document in held:
                await answered(self._transactions, partial(_write, documents=[document], skips=False))

    async def _document(self, one: _Unsearched) -> _Document:
        said, is_over = await answered(self._transactions, partial(_said, conversation_id=one.conversation_id))
        terms = await asyncio.to_thread(terms_of, [one.title, *said])
        return _Document(one, f"{owner_term(one.principal)} {terms}", is_over)


def owner_term(principal: str) -> str:
    """The first term of each document, which no text has: a search of the index leaves out what others say."""
    return "@" + hashlib.sha256(principal.encode()).hexdigest()[:24]


def _unsearched(connection: Connection, principal: Principal | None, after: tuple[str, str]) -> list[_Unsearched]:
    columns = conversations.c
    query = select(columns.id, columns.title, columns.updated_ms, columns.principal).where(UNSEARCHED)
    if principal is None:
        query = query.where(tuple_(columns.principal, columns.id) > tuple_(*(literal(each, String) for each in after)))
    else:
        query = query.where(columns.principal == principal.name, columns.id > after[1])
    rows = connection.execute(query.order_by(columns.principal, columns.id).limit(_AT_ONCE))
    return [_Unsearched(*row) for row in rows]


def _said(connection: Connection, conversation_id: str) -> tuple[list[str], bool]:
    """What is said in a conversation, on all its branches; and whether no reply is running."""
    columns = messages.c
    query = select(columns.position, columns.text, columns.state).where(columns.conversation_id == conversation_id)
    said: list[str] = []
    is_over = True
    position = -1
    room = _MOST_CHARACTERS
    while room > 0:
        some = query.where(columns.position > position).order_by(columns.position)
        rows = connection.execute(some.limit(_MESSAGES_AT_ONCE)).all()
        for row in rows:
            said.append(row.text)
            room -= len(row.text)
            is_over = is_over and row.state != "running"
            position = row.position
        if len(rows) < _MESSAGES_AT_ONCE:
            break
    return said, is_over


def _write(connection: Connection, documents: Sequence[_Document], *, skips: bool) -> list[_Document]:
    """Those that are locked by somebody else, or deleted, are given back with `skips`, and waited for without."""
    is_postgresql = connection.dialect.name == "postgresql"
    insert = (postgresql.insert if is_postgresql else sqlite.insert)(search_documents)
    upsert = insert.on_conflict_do_update(index_elements=["conversation_id"], set_={"terms": insert.excluded.terms})
    columns = conversations.c
    ids = [document.of.conversation_id for document in documents]
    there = select(columns.id, columns.title).where(columns.id.in_(ids)).with_for_update(skip_locked=skips)
    titles = {row.id: row.title for row in connection.execute(there)}
    left: list[_Document] = []
    for document in documents:
        conversation_id = document.of.conversation_id
        if conversation_id not in titles:
            left.append(document)
            continue
        terms = cast(literal(document.terms, String), TSVECTOR) if is_postgresql else document.terms
        connection.execute(upsert.values(conversation_id=conversation_id, terms=terms))
        if document.is_over and titles[conversation_id] == document.of.title:
            searched = update(conversations).where(columns.id == conversation_id)
            connection.execute(searched.values(searched_ms=document.of.updated_ms))
    return left
