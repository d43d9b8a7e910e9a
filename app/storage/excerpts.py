"""Reads what shows where a search has found its words: the latest messages of the conversations that it has found.

Only so many are read, so that a search in long conversations costs little more than one in short ones. What is further
back is found without an excerpt.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection, func, select

from app.chat.excerpts import LatestMatch
from app.chat.stored import ListPosition, Page, StoredConversation
from app.storage.schema import messages
from app.storage.transactions import Transactions, answered

_MESSAGES_AT_ONCE = 20
_CHARACTERS_AT_ONCE = 200_000
"""Or some more: what is in memory, and looked through in one go."""
_LONGEST = 20_000
"""Characters of one message."""
_MOST_CHARACTERS = 100_000
"""Of one conversation."""
_MOST_OF_A_PAGE = 2_000_000
"""Characters of all conversations together."""
_AFTER_ALL = 2**31 - 1

Said = list[tuple[int, str]]
"""Messages with their positions."""


@dataclass(slots=True)
class _Search:
    conversation_id: str
    match: LatestMatch
    before: int = _AFTER_ALL
    """The position of the earliest message that was looked at."""
    room: int = _MOST_CHARACTERS
    is_over: bool = False

    def look(self, said: Said) -> None:
        for position, text in said:
            self.match.look(text)
            self.before = position
            self.room -= len(text)
            self.is_over = self.match.is_best or self.room <= 0
            if self.is_over:
                break
        self.is_over = self.is_over or len(said) < _MESSAGES_AT_ONCE


async def with_excerpts(
    transactions: Transactions, page: Page[StoredConversation, ListPosition], wanted: Sequence[str]
) -> Page[StoredConversation, ListPosition]:
    """A page of what was found by these beginnings of terms, with excerpts. Raises `StorageUnavailable`."""
    searches = [_Search(item.conversation_id, LatestMatch(wanted)) for item in page.items]
    pending = searches
    room = _MOST_OF_A_PAGE
    while pending and room > 0:
        places = [(search.conversation_id, search.before) for search in pending]
        read = await answered(transactions, partial(_read, places=places))
        room -= sum(len(text) for said in read.values() for _, text in said)
        await asyncio.to_thread(_look, pending, read)
        pending = [search for search in pending if not search.is_over]
    excerpts = await asyncio.to_thread(lambda: [search.match.excerpt() for search in searches])
    items = tuple(replace(item, excerpt=excerpt) for item, excerpt in zip(page.items, excerpts, strict=True))
    return replace(page, items=items)


def _read(connection: Connection, places: Sequence[tuple[str, int]]) -> dict[str, Said]:
    """Some messages before each of these positions, the latest first; of the first conversations, if that is much."""
    columns = messages.c
    read: dict[str, Said] = {}
    room = _CHARACTERS_AT_ONCE
    for conversation_id, before in places:
        if room <= 0:
            break
        there = select(columns.position, func.substr(columns.text, 1, _LONGEST).label("text"))
        there = there.where(columns.conversation_id == conversation_id, columns.position < before)
        rows = connection.execute(there.order_by(columns.position.desc()).limit(_MESSAGES_AT_ONCE))
        read[conversation_id] = [(row.position, row.text) for row in rows]
        room -= sum(len(text) for _, text in read[conversation_id])
    return read


def _look(searches: Sequence[_Search], read: Mapping[str, Said]) -> None:
    for search in searches:
        if search.conversation_id in read:
            search.look(read[search.conversation_id])
