"""SQLite's transactions run in threads, which cannot be cancelled; an abandoned one must never commit."""

import asyncio
import threading

import anyio
import pytest
from sqlalchemy import Connection, insert

from app.storage.address import database_url as parsed
from app.storage.database import create_engine, transactions_on
from app.storage.schema import metadata
from tests.support.databases import fresh_database_url, run_sql

_ROW = {"id": "0" * 32, "title": "hello", "created_ms": 1, "updated_ms": 1}


def _add(connection: Connection) -> None:
    connection.execute(insert(metadata.tables["conversations"]), _ROW)


@pytest.mark.parametrize("patience_seconds", [1.0, 20.0])
async def test_what_was_given_up_is_not_committed(patience_seconds: float) -> None:
    """Neither on timeout nor on cancellation; nobody waits for the thread, and it leaves nothing behind."""
    url = fresh_database_url("sqlite")
    transactions = transactions_on(create_engine(parsed(url), patience_seconds), patience_seconds)
    await transactions.run(metadata.create_all)
    begun, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        _add(connection)
        begun.set()
        go_on.wait()

    running = asyncio.create_task(transactions.run(work))
    with anyio.fail_after(60):
        while not begun.is_set():
            await anyio.sleep(0.001)
        if patience_seconds > 1:
            running.cancel()
        with pytest.raises((TimeoutError, asyncio.CancelledError)):
            await running
    go_on.set()
    await transactions.close()
    assert await run_sql(url, "SELECT count(*) FROM conversations") == [(0,)]
    await transactions.run(_add)  # it can be used again
    await transactions.close()
    assert await run_sql(url, "SELECT count(*) FROM conversations") == [(1,)]
