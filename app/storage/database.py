"""The connection to the database: its URL, its settings, its migrations."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

import aiosqlite
from sqlalchemy import Connection, Engine, event
from sqlalchemy import create_engine as create_sync_engine
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.chat.watching import UNMEASURED, Measures
from app.storage.address import Address, PostgresServers, SqliteFile
from app.storage.budgets import SqlBudgetStore
from app.storage.failures import file_trouble, spoils_session
from app.storage.instances import touch, write_something
from app.storage.keys import SqlKeyStore
from app.storage.leases import Generated, Lease
from app.storage.migration import check_encoding, migrate, revision, revision_of
from app.storage.opening import look_for_files, opening
from app.storage.owner import Owner, file_lock, seal_all
from app.storage.postgres import Connector, Dialect
from app.storage.records import record_writer
from app.storage.schema import REVISION
from app.storage.sql import SqlStore
from app.storage.transactions import AsyncTransactions, ThreadTransactions, Transactions
from app.storage.writability import Writability
from app.storage.writer import GroupWriter, Prepare

_logger = logging.getLogger(__name__)

KEYS_SECONDS = 24 * 3600
"""How long an idempotency key is remembered."""

LEASE_SECONDS = 8.0
"""Time without a sign of life after which an instance is dead."""

_HOUSEKEEPING_SECONDS = 60
_INDEXING = 0.02
"""Part of the time in which what many have said is indexed: replies come first, and a search does not wait for it."""
_CONNECTIONS = 5


class Database:
    """A database in use. An async context manager: entering it migrates, and seals what a crash has left behind."""

    def __init__(
        self,
        address: Address,
        patience_seconds: float,
        lease_seconds: float = LEASE_SECONDS,
        measures: Measures = UNMEASURED,
    ) -> None:
        """No connection is made before it is entered; whatever is done with it may take `patience_seconds`.

        Where several instances share it, one that gives no sign of life for `lease_seconds` is dead.
        """
        self.generated: Generated = _Nothing()
        """What other instances may end here."""
        self._address = address
        self._measures = measures
        self._lease_seconds = lease_seconds
        self._patience_seconds = patience_seconds
        self._connector = Connector(address, patience_seconds) if isinstance(address, PostgresServers) else None
        self._engine = create_engine(address, patience_seconds, self._connector)
        self._transactions = transactions_on(self._engine, patience_seconds)
        self._writer = GroupWriter(self._transactions, measures)
        self._owner = Owner()
        self._writability = Writability(self._transactions, self._probe)
        self._writer.on_write = self._writability.note
        self._exits = AsyncExitStack()
        self.store = SqlStore(self._transactions, self._writer, self._writability, measures)
        self.keys = SqlKeyStore(self._transactions)
        self.budgets = SqlBudgetStore(self._transactions)

    async def __aenter__(self) -> Self:
        """Begin.

        Raises `CannotStart`.
        """
        async with AsyncExitStack() as exits:
            exits.push_async_callback(self._engine.dispose)
            exits.push_async_callback(self._transactions.close)
            with opening(self._address):
                look_for_files(self._address)
                write = await self._owned(exits)
            await exits.enter_async_context(self._writer.writing(write))
            await exits.enter_async_context(self._housekeeping())
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what still waits, and let go."""
        await self._exits.aclose()

    async def _owned(self, exits: AsyncExitStack) -> Prepare:
        """Migrate, and take care of what nobody generates any more. Returns what writes replies as ours."""
        owner = self._owner
        if isinstance(self._address, SqliteFile):
            exits.enter_context(file_lock(self._address))
            await update(self._address, self._engine, self._transactions, self._patience_seconds)
            self._measures.sealed(await self._transactions.run(seal_all))
            return record_writer(owner, is_fenced=False)
        assert self._connector is not None  # noqa: S101 - it is PostgreSQL
        await check_encoding(self._engine)
        await update(self._address, self._engine, self._transactions, self._patience_seconds)
        lease = Lease(
            self._engine, self._connector, owner, self._lease_seconds, self.generated, measures=self._measures
        )
        await exits.enter_async_context(lease)
        return record_writer(owner, is_fenced=True)

    def _probe(self, connection: Connection) -> None:
        if isinstance(self._address, SqliteFile):
            write_something(connection)
        else:
            touch(connection, self._owner.name)

    @asynccontextmanager
    async def _housekeeping(self) -> AsyncIterator[None]:
        """Forget idempotency keys that are too old to come again, and index what has been said."""

        async def keep_house() -> None:
            while True:
                try:
                    await self.store.forget_keys(time.time_ns() // 1_000_000 - KEYS_SECONDS * 1000)
                    await self.store.search_index.catch_up(busy=_INDEXING)
                except Exception as problem:  # noqa: BLE001 - what goes wrong now may go right the next time
                    _logger.error("housekeeping failed: %s", type(problem).__qualname__)  # noqa: TRY400
                await asyncio.sleep(_HOUSEKEEPING_SECONDS)

        task = asyncio.create_task(keep_house())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class _Nothing:
    """Of a process that generates no replies."""

    recovers = False

    def interrupt(self) -> None:
        """Nothing is there to be ended."""

    def confirm(self) -> None:
        """As above."""

    def cancel_all(self, reply_ids: Iterable[str]) -> None:
        """As above."""

    def keep_all(self, reply_ids: Iterable[str]) -> None:
        """As above."""

    def recover(self, reply_ids: Iterable[str], heir: str) -> None:
        """As above."""


def create_engine(address: Address, patience_seconds: float, connector: Connector | None = None) -> AsyncEngine:
    """An engine with the settings that we rely on."""
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)  # at debug it would log what people said
    if isinstance(address, SqliteFile):
        url = URL.create("sqlite+aiosqlite", database=str(address.path))
        engine = create_async_engine(url, **_sqlite_options(patience_seconds, async_creator_fn=_opened_file))
        _set_up(engine.sync_engine)
        return engine
    connector = connector or Connector(address, patience_seconds)
    engine = create_async_engine(
        Dialect.register(),
        pool_size=_CONNECTIONS,
        pool_timeout=patience_seconds,
        connect_args={"connector": connector},
    )
    event.listen(engine.sync_engine, "handle_error", _distrust_the_server)
    _lend_no_dead_ones(engine.sync_engine, connector)
    return engine


async def update(address: Address, engine: AsyncEngine, transactions: Transactions, patience_seconds: float) -> None:
    """Migrate. How long that takes depends on how much there is, and instances that start together wait for each other.

    Raises what `migrate` raises.
    """
    if isinstance(address, SqliteFile):
        # Asked on a connection that replies will use: one of the engine's would take longer than the rest of a start.
        if await transactions.run(revision) != REVISION:
            await migrate(engine)
    elif await revision_of(engine) != REVISION:
        unhurried = create_engine(address, patience_seconds, Connector(address, patience_seconds, is_hurried=False))
        try:
            await migrate(unhurried)
        finally:
            await unhurried.dispose()


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


async def _opened_file(*arguments: Any, **options: Any) -> aiosqlite.Connection:  # noqa: ANN401 - SQLAlchemy's
    """A connection and its thread, which must have ended if this fails: it reports to the event loop when it does."""
    connection = aiosqlite.connect(*arguments, **options)
    thread = connection._thread  # noqa: SLF001 - as SQLAlchemy does
    thread.daemon = True
    try:
        return await connection
    except BaseException:
        await asyncio.to_thread(thread.join)
        raise


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


def _lend_no_dead_ones(engine: Engine, connector: Connector) -> None:
    """The driver hears at once that PostgreSQL has hung up; to ask instead would be three more ways there and back."""

    def note_the_time(_: object, record: ConnectionPoolEntry) -> None:
        record.info["made_at"] = time.monotonic()

    def check(connection: Any, record: ConnectionPoolEntry, _: object) -> None:  # noqa: ANN401 - as above
        if connection.driver_connection.is_closed() or not connector.trusts(record.info["made_at"]):
            raise InvalidatePoolError

    event.listen(engine, "connect", note_the_time)
    event.listen(engine, "checkout", check)


def _distrust_the_file(context: ExceptionContext) -> None:
    """A connection that was opened while the file could not be written stays so: open it anew."""
    if file_trouble(context.original_exception) == sqlite3.SQLITE_READONLY:
        context.is_disconnect = True


def _distrust_the_server(context: ExceptionContext) -> None:
    """A session on what was the primary, or was set up while writes were forbidden, stays so: open it anew."""
    if spoils_session(context.original_exception):
        context.is_disconnect = True
