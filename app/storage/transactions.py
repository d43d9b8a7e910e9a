"""Runs work in a transaction, all of it or nothing, and within bounds of time.

The work is a plain function of a connection, the same for both databases. PostgreSQL is waited for on the event loop.
SQLite's driver blocks, so there the whole transaction runs in a thread, in one go: each way there and back costs more
than a statement does.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chat.errors import StorageUnavailable
from app.storage.failures import READ_ONLY, sqlstate_of
from app.storage.threads import Threads

Result = TypeVar("Result")


class Transactions(Protocol):
    """Whoever wants something of the database asks here."""

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work`, and commit it unless it raises.

        It may run in another thread, so it must not look at what the event loop changes. Raises what it raises,
        SQLAlchemy's errors, `OSError` and `TimeoutError`; after these the work may have been committed all the same.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections. They are made anew if there is more to run."""
        ...


async def answered(transactions: Transactions, work: Callable[[Connection], Result]) -> Result:
    """What `run` gives. Raises `StorageUnavailable` if the database does not play."""
    try:
        return await transactions.run(work)
    except (SQLAlchemyError, OSError, TimeoutError):
        # A database's message repeats the values that it was given: it goes no further.
        raise StorageUnavailable from None


class AsyncTransactions:
    """`Transactions`, on the event loop."""

    def __init__(self, engine: AsyncEngine, patience_seconds: float) -> None:
        """A transaction may take `patience_seconds`."""
        self._engine = engine
        self._patience_seconds = patience_seconds

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """See `Transactions`. The second session may be on a server that has become the primary meanwhile."""
        async with asyncio.timeout(self._patience_seconds):
            try:
                return await self._transact(work)
            except DBAPIError as error:
                if sqlstate_of(error) != READ_ONLY:
                    raise
            return await self._transact(work)

    async def _transact(self, work: Callable[[Connection], Result]) -> Result:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        """See `Transactions`."""
        await self._engine.dispose()


class ThreadTransactions:
    """`Transactions`, in threads."""

    def __init__(self, engine: Engine, connections: int, patience_seconds: float) -> None:
        """A transaction may take `patience_seconds`; the engine has so many `connections`, and each gets a thread."""
        self._engine = engine
        self._patience_seconds = patience_seconds
        self._threads = Threads(connections, "sqlite")

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """See `Transactions`. Who is cancelled does not wait for the thread, which then commits nothing any more."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Result] = loop.create_future()

        def transact() -> Result:
            with self._engine.connect() as connection:
                result = work(connection)
                if not outcome.done():  # else it has been given up
                    connection.commit()
                return result

        def transact_anew() -> Result:
            try:
                return transact()
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                return transact()  # the connection was of no use any more; a new one may be

        self._threads.call(transact_anew, outcome)
        timer = loop.call_later(self._patience_seconds, _give_up, outcome)
        try:
            return await outcome
        finally:
            timer.cancel()

    async def close(self) -> None:
        """See `Transactions`. Waits for what still runs."""
        await self._threads.close()
        self._engine.dispose()


def _give_up(outcome: "asyncio.Future[Any]") -> None:
    if not outcome.done():
        outcome.set_exception(TimeoutError())
