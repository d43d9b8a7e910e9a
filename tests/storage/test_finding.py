"""A search finds the same in the same order, whether it reads the newest conversations or asks the index."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from app.chat.access import Principal
from app.chat.stored import ListPosition
from app.storage.address import database_url
from app.storage.database import Database
from app.storage.schema import conversations
from app.storage.sql import SqlStore
from tests.support.databases import KINDS, fresh_database_url, run_sync

_MANY = 600
_PAGES = 12
_OLD = 250
"""So many are the oldest ones, which have words that no newer one has."""
_SHARES = {"always": 1.0, "half": 0.5, "often": 0.1, "seldom": 0.05, "once": 0.002}
_OLD_SHARES = {"oldest": 1.0, "once": 0.04, "older": 0.6}
_WORDS = [*_SHARES, *_OLD_SHARES, "o", "on", "old", "a", "never", "größe"]
_PRINCIPALS = (Principal("somebody"), Principal("somebody else"))


def _titles() -> list[str]:
    """What is said in each, the oldest first."""
    random = Random(1)  # noqa: S311 - the same each time
    titles: list[str] = []
    for n in range(_MANY):
        shares = _SHARES | (_OLD_SHARES if n < _OLD else {})
        titles.append(" ".join(word for word, share in shares.items() if random.random() < share) + " Größe" * (n == 9))
    return titles


_TITLES = _titles()


def _id(n: int) -> str:
    """In another order than their times, which two of them have in common."""
    return f"{n * 7919 % 10_007:032x}"


def _fill(connection: Connection) -> None:
    rows = [
        {"id": _id(n), "title": title, "created_ms": n, "updated_ms": n // 2, "principal": _PRINCIPALS[n % 5 == 0].name}
        for n, title in enumerate(_TITLES)
    ]
    connection.execute(insert(conversations), rows)


@pytest.fixture(scope="module")
async def both() -> AsyncGenerator[list[SqlStore], None]:
    """A store of each kind with the same conversations, all of which are indexed."""
    async with AsyncExitStack() as stack:
        stores: list[SqlStore] = []
        for kind in KINDS:
            url = fresh_database_url(kind)
            await run_sync(url, _fill)
            database = await stack.enter_async_context(Database(database_url(url), 30))
            await database.store.search_index.catch_up()
            stores.append(database.store)
        yield stores


def _expected(principal: Principal, words: list[str]) -> list[str]:
    found = [
        (n // 2, _id(n))
        for n, title in enumerate(_TITLES)
        if _PRINCIPALS[n % 5 == 0] == principal
        and all(any(said.lower().startswith(word) for said in title.split()) for word in words)
    ]
    return [conversation_id for _, conversation_id in sorted(found, reverse=True)]


@settings(settings.get_profile("laws"), max_examples=60)
@given(
    st.sampled_from(_PRINCIPALS),
    st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3, unique=True),
    st.sampled_from([1, 2, 20, 100]),
)
async def test_all_pages_have_what_has_the_words(
    both: list[SqlStore], principal: Principal, words: list[str], limit: int
) -> None:
    """Rare, common, both, or only in old ones: the newest first, each once, and nothing else."""
    expected = _expected(principal, words)
    for store in both:
        found: list[str] = []
        cursor: ListPosition | None = None
        for _ in range(_PAGES):  # the first pages: all of them, but for the smallest ones
            page = await store.conversations(principal, limit, cursor, " ".join(words))
            found += [item.conversation_id for item in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == expected[: _PAGES * limit]
        assert (cursor is None) == (len(expected) <= _PAGES * limit)
