"""Measures what the store's reading costs as conversations become many: it must not depend on how many there are.

Each conversation has ten turns, one of which is edited and one of which is regenerated.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from sqlalchemy import Connection, insert

from app.chat.access import Principal
from app.chat.branches import ROOT
from app.chat.requests import Where
from app.chat.stored import ListPosition, MessagesPage
from app.storage.address import database_url
from app.storage.database import Database, create_engine
from app.storage.schema import conversations, messages
from app.storage.sql import SqlStore
from tests.support.databases import KINDS, Kind, fresh_database_url, remove_all

FEW, MANY = 100, 10_000
MOST = 1.3
"""Times as much as among a few. These are more than a search reads before it asks the index."""

_TURNS = 10
_EDITED, _ANEW = 8, 15
"""Positions of the message that is edited, and of the reply that is generated anew."""
_FOUND = 5
"""So many conversations, all over the list, have the rare word that is looked for; and so many are on a page."""
_AT_ONCE = 500
_PATIENCE_SECONDS = 120.0
_SOMEBODY = Principal("somebody")
_TEXT = "Some words about topic {n}, which is one of many, and about nothing else that anybody would look for."

Ask = Callable[[SqlStore], Awaitable[object]]


def _id(n: int) -> str:
    return f"{n:032x}"


def _with_needle(count: int) -> range:
    return range(0, count, count // _FOUND)


def _middle(count: int) -> int:
    return count // 2


def _messages(n: int, *, has_needle: bool) -> list[dict[str, object]]:
    """The rows of a conversation: a line of turns, and two branches."""
    text = _TEXT.format(n=n) + (" needle" if has_needle else "")
    rows: list[dict[str, object]] = []
    for position in range(2 * _TURNS + 4):
        is_reply = bool(position % 2)
        if position == 2 * _TURNS + 2:  # a reply that was generated anew leaves the place of its message empty
            continue
        follows = {2 * _TURNS: _EDITED - 1 if _EDITED else ROOT, 2 * _TURNS + 3: _ANEW - 1}.get(position)
        ended = {"reply_id": _id(n * 100 + position), "state": "completed", "finish_reason": "stop", "words": 18}
        unsaid = dict.fromkeys(ended)
        place = {"conversation_id": _id(n), "position": position, "created_ms": n, "follows": follows}
        role = "assistant" if is_reply else "user"
        rows.append({**place, "role": role, "text": text, **(ended if is_reply else unsaid)})
    return rows


@asynccontextmanager
async def crowd(url: str, count: int, whole: int = 1) -> AsyncIterator[SqlStore]:
    """A store with so many conversations, all of which are indexed. One in `whole` of them has more than two messages.

    So have those that are looked at closely.
    """
    address = database_url(url)
    async with Database(address, _PATIENCE_SECONDS):
        pass
    engine = create_engine(address, _PATIENCE_SECONDS)
    needles, middle = _with_needle(count), _middle(count)

    def said(n: int) -> list[dict[str, object]]:
        rows = _messages(n, has_needle=n in needles)
        return rows if n % whole == 0 or n == middle else rows[:2]

    def fill(connection: Connection, start: int) -> None:
        numbers = range(start, min(start + _AT_ONCE, count))
        rows = [
            {"id": _id(n), "title": f"topic {n}", "created_ms": n, "updated_ms": n, "principal": _SOMEBODY.name}
            for n in numbers
        ]
        connection.execute(insert(conversations), rows)
        connection.execute(insert(messages), [row for n in numbers for row in said(n)])

    for start in range(0, count, _AT_ONCE):
        async with engine.begin() as connection:
            await connection.run_sync(fill, start)
    async with Database(address, _PATIENCE_SECONDS) as database:
        await database.store.search_index.catch_up()
        if engine.dialect.name == "postgresql":  # which does so by itself sooner or later; SQLite does not
            async with engine.connect() as connection:
                await connection.exec_driver_sql("ANALYZE")
                await connection.commit()
        yield database.store
    await engine.dispose()


def _asks(count: int) -> dict[str, Ask]:
    middle = _middle(count)

    async def page(store: SqlStore) -> object:
        found = await store.conversations(_SOMEBODY, 5, None)
        return await store.conversations(_SOMEBODY, 5, found.next_cursor)

    async def search(store: SqlStore, words: str, expected: Sequence[int], before: int | None = None) -> object:
        cursor = None if before is None else ListPosition(before, _id(before))
        found = await store.conversations(_SOMEBODY, _FOUND, cursor, words)
        if [item.conversation_id for item in found.items] != [_id(n) for n in expected]:
            raise AssertionError(f"other conversations were found: {found.items}")
        return found

    needles = _with_needle(count)[::-1]
    newest = range(count)[: -_FOUND - 1 : -1]
    older = range(middle)[: -_FOUND - 1 : -1]
    return {
        "a page of conversations": page,
        "a page of a conversation": lambda store: store.messages(_id(middle), _SOMEBODY, MessagesPage(20)),
        "a page of a branch": lambda store: store.messages(
            _id(middle), _SOMEBODY, MessagesPage(20, branch=_id(middle * 100 + 2 * _TURNS - 1))
        ),
        "a search": partial(search, words="needle", expected=needles),
        "a search with a common word": partial(search, words="needle topic", expected=needles),
        "a search for a common word": partial(search, words="topic", expected=newest),
        "a search for one letter": partial(search, words="t", expected=newest),
        "a later page of a search": partial(search, words="topic", expected=older, before=middle),
        "a bot's history": lambda store: store.place(Where(_SOMEBODY, _id(middle)), 100, 100_000),
    }


Ratios = Callable[[], Awaitable[dict[str, float]]]


@asynccontextmanager
async def crowds(kind: Kind, few: int, many: int, times: int, whole: int = 1) -> AsyncIterator[Ratios]:
    """A few and many conversations, and what measures how many times as much each thing costs among many.

    Both are asked in turn, and the quickest answers are compared, so that other load counts for neither.
    """
    async with AsyncExitStack() as stack:
        stores = [
            (await stack.enter_async_context(crowd(fresh_database_url(kind), count, whole)), _asks(count))
            for count in (few, many)
        ]

        async def ratios() -> dict[str, float]:
            found: dict[str, float] = {}
            for name in stores[0][1]:
                costs: list[list[float]] = [[], []]
                for _ in range(times):
                    for (store, asks), cost in zip(stores, costs, strict=True):
                        started_at = time.perf_counter()
                        await asks[name](store)
                        cost.append(time.perf_counter() - started_at)
                small, large = map(min, costs)
                found[name] = large / small
            return found

        yield ratios


async def _main(few: int, many: int, times: int) -> int:
    worst = 0.0
    for kind in KINDS:
        async with crowds(kind, few, many, times) as ratios:
            found = await ratios()
        for name, ratio in found.items():
            worst = max(worst, ratio)
            sys.stdout.write(f"{kind:12} {name:28} {ratio:6.2f} times as much among {many:,} as among {few}\n")
            sys.stdout.flush()
    return int(worst > MOST)


def main() -> int:
    """Measure, and print the ratios. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/growth", description=__doc__)
    parser.add_argument("--conversations", type=int, default=MANY, help=f"how many are many (default: {MANY:,})")
    parser.add_argument("--few", type=int, default=FEW, help=f"how many are a few (default: {FEW})")
    parser.add_argument("--times", type=int, default=200, help="how often each thing is asked for (default: 200)")
    given = parser.parse_args()
    try:
        return asyncio.run(_main(given.few, given.conversations, given.times))
    finally:
        remove_all()


if __name__ == "__main__":
    sys.exit(main())
