"""Finds conversations by words, newest first, in about the same time for a rare word, a common one, and both together.

An index knows which conversations have a word, but not which of them are the newest: it is good for words that few
have. A common word is in many of the newest conversations, so reading these finds a page of it. Therefore the newest
ones are read first: they are the page, or they show which of the words are common.

What remains is a word that many older conversations have and the newest have not, or words that are common and seldom
together: as many are read as have them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    String,
    bindparam,
    cast,
    false,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from app.chat.access import Principal
from app.chat.stored import ListPosition, Page, StoredConversation
from app.storage.pages import NEWEST_FIRST, page_of, position_of
from app.storage.schema import conversations, search_documents
from app.storage.searching import owner_term

_FIRST = 16
"""At least so many conversations are read before the index is asked."""
_COMMON = 16
"""Common is what at least one of so many conversations has."""
_FEW = 100
"""So many conversations with the rare words are read one by one, and the common words are looked for in them."""

_INDEX = {
    # By the index whatever the planner believes: a rare word among many conversations has no statistics.
    "postgresql": text(
        "WITH found AS MATERIALIZED"
        " (SELECT conversation_id FROM search_documents WHERE terms @@ CAST(CAST(:query AS VARCHAR) AS TSQUERY))"
        " SELECT conversation_id FROM found"
    ),
    "sqlite": text(
        "SELECT conversation_id FROM search_index JOIN search_documents ON number = search_index.rowid"
        " WHERE search_index MATCH :query"
    ),
}
"""The ids of the conversations that match `query`."""

_OLDER = tuple_(conversations.c.updated_ms, conversations.c.id) < tuple_(
    bindparam("updated_ms", type_=BigInteger), bindparam("id", type_=String)
)

_IS_THEIRS = conversations.c.principal.concat("") == bindparam("principal")
"""An expression, for which no plan can use the list's index.

SQLite has no statistics, and without them it would read the whole list, and look for each in what was found.
"""


@dataclass(frozen=True, slots=True)
class _Search:
    connection: Connection
    principal: Principal
    limit: int
    words: Sequence[str]

    @property
    def dialect(self) -> str:
        return self.connection.dialect.name

    def newest(self, cursor: ListPosition | None, limit: int) -> Sequence[Row[Any]]:
        """The next conversations of the list, and behind their columns, for each word, whether they have it."""
        query = _reading(self.dialect, len(self.words), is_first=cursor is None)
        return self._rows(query, cursor, limit, self._tested(self.words))

    def indexed(self, cursor: ListPosition | None) -> Sequence[Row[Any]]:
        """A page and one more of those that have all the words, by the index."""
        query = _looking_up(self.dialect, is_first=cursor is None)
        return self._rows(query, cursor, self.limit + 1, {"query": self._query(self.words)})

    def few(self, words: Sequence[str]) -> list[str] | None:
        """The ids of those that have these words, by the index; unless they are many."""
        values = {"query": self._query(words), "limit": _FEW + 1}
        ids = [row.conversation_id for row in self.connection.execute(_counting(self.dialect), values)]
        return ids if len(ids) <= _FEW else None

    def among(self, ids: Sequence[str], cursor: ListPosition | None, words: Sequence[str]) -> Sequence[Row[Any]]:
        """A page and one more of those of these that have `words`, by reading them."""
        query = _testing(self.dialect, len(words), is_first=cursor is None)
        return self._rows(query, cursor, self.limit + 1, self._tested(words) | {"ids": ids})

    def _rows(
        self, query: Select[Any], cursor: ListPosition | None, limit: int, values: Mapping[str, object]
    ) -> Sequence[Row[Any]]:
        place = {} if cursor is None else {"updated_ms": cursor.updated_ms, "id": cursor.conversation_id}
        return self.connection.execute(
            query, {"principal": self.principal.name, "limit": limit, **place, **values}
        ).all()

    def _tested(self, words: Sequence[str]) -> dict[str, object]:
        # In SQLite, a blank is before each term: the owner's comes first.
        beginning = "'{}':*" if self.dialect == "postgresql" else " {}"
        return {f"word_{number}": beginning.format(word) for number, word in enumerate(words)}

    def _query(self, words: Sequence[str]) -> str:
        owner = owner_term(self.principal.name)
        if self.dialect == "postgresql":
            return " & ".join([f"'{owner}'", *(f"'{word}':*" for word in words)])
        return " AND ".join([f'"{owner}"', *(f'"{word}"*' for word in words)])


def found_page(
    connection: Connection, principal: Principal, limit: int, cursor: ListPosition | None, words: Sequence[str]
) -> Page[StoredConversation, ListPosition]:
    """The conversations in which each of these begins a word; the one that was last spoken in first."""
    search = _Search(connection, principal, limit, words)
    read: list[Row[Any]] = []
    found: list[Row[Any]] = []
    place = cursor
    more = max(_FIRST, limit + 1)
    while True:
        rows = search.newest(place, more)
        read += rows
        found += [row for row in rows if all(row[-len(words) :])]
        if len(found) > limit or len(rows) < more:
            return page_of(found, limit)
        if not _is_common(len(found), len(read)):
            break
        place = position_of(rows[-1])
        more = len(read)
    counts = [sum(map(bool, has)) for has in list(zip(*read, strict=True))[-len(words) :]]
    common = [word for word, count in zip(words, counts, strict=True) if _is_common(count, len(read))]
    rare = [word for word in words if word not in common]
    ids = search.few(rare or words)
    if ids is None:
        return page_of(search.indexed(cursor), limit)
    return page_of(search.among(ids, cursor, common if rare else []), limit)


def _is_common(count: int, of: int) -> bool:
    return count * _COMMON >= of


# Made once for each number of words: making a statement costs more than what it asks for.


@cache
def _reading(dialect: str, words: int, *, is_first: bool) -> Select[Any]:
    columns = conversations.c
    query = select(conversations, *_tests(dialect, words)).where(columns.principal == bindparam("principal"))
    query = query.outerjoin(search_documents, search_documents.c.conversation_id == columns.id)
    return _ordered(query, is_first=is_first)


@cache
def _looking_up(dialect: str, *, is_first: bool) -> Select[Any]:
    found = _INDEX[dialect].columns(search_documents.c.conversation_id).subquery("matches")
    query = select(conversations).join(found, found.c.conversation_id == conversations.c.id)
    return _ordered(query.where(_IS_THEIRS), is_first=is_first)


@cache
def _testing(dialect: str, words: int, *, is_first: bool) -> Select[Any]:
    query = select(conversations).where(conversations.c.id.in_(bindparam("ids", expanding=True)), _IS_THEIRS)
    if words:
        query = query.join(search_documents, search_documents.c.conversation_id == conversations.c.id)
        query = query.where(*_tests(dialect, words))
    return _ordered(query, is_first=is_first)


@cache
def _counting(dialect: str) -> Select[Any]:
    found = _INDEX[dialect].columns(search_documents.c.conversation_id).subquery("matches")
    return select(found).limit(bindparam("limit"))


def _ordered(query: Select[Any], *, is_first: bool) -> Select[Any]:
    query = query if is_first else query.where(_OLDER)
    return query.order_by(*NEWEST_FIRST).limit(bindparam("limit"))


def _tests(dialect: str, words: int) -> list[ColumnElement[bool]]:
    """Whether each of these begins a word, for a row of `search_documents`; tested there, and not by the index."""
    terms = search_documents.c.terms
    beginnings = [bindparam(f"word_{number}", type_=String) for number in range(words)]
    if dialect == "postgresql":
        return [func.coalesce(terms.bool_op("@@")(cast(beginning, TSQUERY)), false()) for beginning in beginnings]
    return [func.instr(terms, beginning) > 0 for beginning in beginnings]
