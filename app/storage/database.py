"""The connection to the database: its URL, its settings, its migrations."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, event
from sqlalchemy import create_engine as create_sync_engine
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.storage.address import Address, SqliteFile
from app.storage.keys import SqlKeyStore
from app.storage.migration import migrate
from app.storage.opening import look_for_files, opening
from app.storage.owner import ownership, seal_orphans
from app.storage.postgres import Connector, Dialect
from app.storage.records import record_writer
from app.storage.sql import SqlStore
from app.storage.transactions import AsyncTransactions, ThreadTransactions, Transactions
from app.storage.writer import GroupWriter

_logger = logging.getLogger(__name__)

KEYS_SECONDS = 24 * 3600
"""How long an idempotency key is remembered."""

_HOUSEKEEPING_SECONDS = 60
_CONNECTIONS = 5
_PRIMARY = 0xFF
"""Of an error code of SQLite's, the part that all errors of a kind share."""


class Database:
    """A database in use. An async context manager: entering it migrates, and seals what a crash has left behind."""

    def __init__(self, address: Address, patience_seconds: float) -> None:
        """No connection is made before it is entered; whatever is done with it may take `patience_seconds`."""
        self._address = address
        self._engine = create_engine(address, patience_seconds)
        self._transactions = transactions_on(self._engine, patience_seconds)
        self._writer = GroupWriter(self._transactions)
        self._exits = AsyncExitStack()
        self.store = SqlStore(self._transactions, self._writer)
        self.keys = SqlKeyStore(self._transactions)

    async def __aenter__(self) -> Self:
        """Begin.

        Raises `CannotStart`.
        """
        async with AsyncExitStack() as exits:
            exits.push_async_callback(self._engine.dispose)
            exits.push_async_callback(self._transactions.close)
            with opening(self._address):
                look_for_files(self._address)
                owner = await exits.enter_async_context(ownership(self._engine))
                await migrate(self._engine)
                await seal_orphans(self._transactions, owner)
            await exits.enter_async_context(self._writer.writing(record_writer(owner, self._engine.dialect.name)))
            await exits.enter_async_context(self._housekeeping(owner))
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what still waits, and let go."""
        await self._exits.aclose()

    @asynccontextmanager
    async def _housekeeping(self, owner: str) -> AsyncIterator[None]:
        """Forget idempotency keys that are too old to come again, and seal what other instances' crashes leave."""

        async def keep_house() -> None:
            while True:
                try:
                    await self.store.forget_keys(time.time_ns() // 1_000_000 - KEYS_SECONDS * 1000)
                    await seal_orphans(self._transactions, owner)
                except Exception as problem:  # noqa: BLE001 - what goes wrong now may go right the next time
                    _logger.error("housekeeping failed: %s", type(problem).__qualname__)  # noqa: TRY400
                await asyncio.sleep(_HOUSEKEEPING_SECONDS)

        task = asyncio.create_task(keep_house())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def create_engine(address: Address, patience_seconds: float) -> AsyncEngine:
    """An engine with the settings that we rely on."""
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)  # at debug it would log what people said
    if isinstance(address, SqliteFile):
        url = URL.create("sqlite+aiosqlite", database=str(address.path))
        engine = create_async_engine(url, **_sqlite_options(patience_seconds))
        _set_up(engine.sync_engine)
        return engine
    engine = create_async_engine(
        Dialect.register(),
        pool_size=_CONNECTIONS,
        pool_timeout=patience_seconds,
        connect_args={"connector": Connector(address, patience_seconds)},
    )
    event.listen(engine.sync_engine, "checkout", _lend_no_dead_ones)
    return engine


def transactions_on(engine: AsyncEngine, patience_seconds: float) -> Transactions:
    """Transactions in an engine's database; each may take `patience_seconds`."""
    if engine.dialect.name == "postgresql":
        return AsyncTransactions(engine, patience_seconds)
    url = engine.url.set(drivername="sqlite")
    blocking = create_sync_engine(url, **_sqlite_options(patience_seconds, check_same_thread=False))
    _set_up(blocking)
    return ThreadTransactions(blocking, _CONNECTIONS, patience_seconds)


def _sqlite_options(patience_seconds: float, **connect_args: object) -> dict[str, Any]:
    # Who waits for a lock gives up a bit before all patience is lost, so that it can say so in good order.
    timeouts = {"pool_timeout": patience_seconds, "connect_args": {"timeout": 0.9 * patience_seconds, **connect_args}}
    return {"pool_size": _CONNECTIONS, **timeouts}


def _set_up(engine: Engine) -> None:
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "handle_error", _distrust_the_file)


def _set_up_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401 - a DBAPI connection has no common type
    try:
        cursor = connection.cursor()
        # WAL: readers do not wait for the writer. FULL: what was committed survives a power cut, not only a crash.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
    except BaseException:
        connection.close()  # the pool does not know it yet, and there may be a thread behind it
        raise


def _lend_no_dead_ones(connection: Any, *_: object) -> None:  # noqa: ANN401 - as above
    """The driver hears at once that PostgreSQL has hung up; to ask instead would be three more ways there and back."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def _distrust_the_file(context: ExceptionContext) -> None:
    """A connection that was opened while the file could not be written stays so: open it anew."""
    error = context.original_exception
    if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_READONLY:
        context.is_disconnect = True
