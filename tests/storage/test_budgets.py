"""What a client has had of its words for the day outlives the process, and is the same for all instances."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

import anyio
import pytest

from app.access import budgets
from app.access.budgets import WordBudgets
from app.chat.errors import WordLimitReached
from app.storage.address import database_url as parsed
from app.storage.database import Database
from tests.support.addresses import WHOLE
from tests.support.databases import fresh_database_url, run_sql, sqlite_file
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, post


def _asked(server: LiveServer) -> Answer:
    with Wire(server.port) as wire:
        wire.send(post("one two three", path=WHOLE))
        return wire.answer()


@pytest.mark.parametrize("is_killed", [False, True], ids=["drained", "killed"])
def test_a_budget_outlives_the_process(is_killed: bool, database_url: str) -> None:  # noqa: FBT001 - of a table
    """Also where it dies; and the database does not know whose address it is."""
    with LiveServer(database_url=database_url, words_per_day=5) as server:
        for _ in range(2):
            assert _asked(server).status == 200
        assert _asked(server).problem_code() == "word-limit-reached"
        if is_killed:
            deadline = time.monotonic() + 20
            while asyncio.run(run_sql(database_url, "SELECT words FROM word_budgets")) != [(6,)]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        else:
            server.terminate()
            server.wait()
    with LiveServer(database_url=database_url, words_per_day=5) as server:
        refused = _asked(server)
        assert (refused.status, refused.problem_code()) == (429, "word-limit-reached")
        assert 86_000 < int(refused.headers["retry-after"]) <= 86_400
    ((client, words),) = asyncio.run(run_sql(database_url, "SELECT client, words FROM word_budgets"))
    assert words == 6
    assert "127.0.0.1" not in client


@asynccontextmanager
async def _budgets(url: str, count: int = 1, window_seconds: float = 60) -> AsyncIterator[list[WordBudgets]]:
    """Those of so many instances that share a database."""
    database = Database(parsed(url), 5)
    with anyio.fail_after(30):
        async with database:
            made = [WordBudgets(5, database.budgets, window_seconds) for _ in range(count)]
            for one in made:
                await one.__aenter__()
            yield made
            for one in made:
                await one.__aexit__(None, None, None)


def _is_allowed(words: WordBudgets, client: str = "client") -> bool:
    try:
        words.allow(client)
    except WordLimitReached:
        return False
    return True


async def test_instances_add_to_one_budget(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another has counted is known with the next word that is counted here; each client has its own."""
    monkeypatch.setattr(budgets, "_GROUP_SECONDS", 0.01)
    async with _budgets(database_url, 2) as (one, two):
        one.charge("client", 2)
        one.charge("client", 1)
        one.charge("another", 5)
        assert _is_allowed(one)
        assert not _is_allowed(one, "another")
        while not await run_sql(database_url, "SELECT words FROM word_budgets WHERE words = 3"):
            await asyncio.sleep(0.05)
        two.charge("client", 2)
        while _is_allowed(two):
            await asyncio.sleep(0.05)
        assert _is_allowed(one)
        assert _is_allowed(two, "another")
    async with _budgets(database_url) as (again,):
        assert not _is_allowed(again)
        assert not _is_allowed(again, "another")


@pytest.mark.parametrize("hours", [-2, 2], ids=["back", "forward"])
async def test_a_day_is_as_long_as_it_is_when_the_clock_is_set(
    hours: int, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the database, too: a window that has ended here begins anew there."""
    async with _budgets(database_url, window_seconds=1) as (words,):
        words.charge("client", 5)
        assert not _is_allowed(words)
        await words._save()  # noqa: SLF001 - as it does by itself
        wall_clock = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: wall_clock() + hours * 3600 * 10**9)
        assert not _is_allowed(words)
        await asyncio.sleep(1.05)
        assert _is_allowed(words)
        words.charge("client", 3)
    ((left, ends_ms),) = await run_sql(database_url, "SELECT words, ends_ms FROM word_budgets")
    assert left == 3
    assert 0 < ends_ms - time.time_ns() / 1e6 <= 1000 + 60_000


@contextmanager
def _locked(database_url: str) -> Iterator[None]:
    """Nobody else can write to this SQLite database meanwhile."""
    with closing(sqlite3.connect(sqlite_file(database_url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_what_cannot_be_stored_is_stored_later(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts all the same, and the log says so once."""
    database_url = fresh_database_url("sqlite")  # which one connection can lock
    monkeypatch.setattr(budgets, "_GROUP_SECONDS", 0.01)
    caplog.set_level("WARNING")
    database = Database(parsed(database_url), 0.2)
    async with database, WordBudgets(5, database.budgets) as words:
        with _locked(database_url):
            words.charge("client", 5)
            while not any("cannot be stored now" in message for message in caplog.messages):
                await asyncio.sleep(0.05)
            assert not _is_allowed(words)
            await asyncio.sleep(0.5)
    assert sum("cannot be stored now" in message for message in caplog.messages) == 1
    assert await run_sql(database_url, "SELECT words FROM word_budgets") == [(5,)]


async def test_what_is_counted_while_others_are_stored_is_stored_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain ends many replies within a moment."""
    database_url = fresh_database_url("sqlite")  # which one connection can lock
    monkeypatch.setattr(budgets, "_GROUP_SECONDS", 0.01)
    async with Database(parsed(database_url), 20) as database:
        words = await WordBudgets(5, database.budgets).__aenter__()
        with _locked(database_url):
            words.charge("client", 2)
            while words._unsaved:  # noqa: SLF001 - then they are being stored
                await asyncio.sleep(0.01)
            words.charge("client", 1)
            end = asyncio.create_task(words.__aexit__(None, None, None))
            await asyncio.sleep(0)
        await end
    assert await run_sql(database_url, "SELECT words FROM word_budgets") == [(3,)]


async def test_words_are_stored_again_after_any_failure(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is not the database's: here, of a clock that is far ahead."""
    database_url = fresh_database_url("sqlite")  # whose driver refuses large numbers
    monkeypatch.setattr(budgets, "_GROUP_SECONDS", 0.01)
    caplog.set_level("WARNING")
    async with _budgets(database_url) as (words,):
        with monkeypatch.context() as ahead:
            ahead.setattr(budgets, "_now_ms", lambda: 2**63)
            words.charge("client", 5)
            while not any("cannot be stored now" in message for message in caplog.messages):
                await asyncio.sleep(0.01)
        assert not _is_allowed(words)
        while await run_sql(database_url, "SELECT words FROM word_budgets") != [(5,)]:
            await asyncio.sleep(0.05)
