"""Who makes which reply, so that after a crash what nobody makes any more can be told from what somebody does.

The proof of life is a lock that the operating system, or PostgreSQL, takes away from a process the moment it dies; no
clock and no heartbeat is involved. SQLite is one file and one process: the lock keeps a second one out.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chat.errors import CannotStart, Misconfigured
from app.storage.address import SETTING
from app.storage.schema import RUNNING, messages
from app.storage.transactions import Transactions

_LOOK_SECONDS = 2.0
"""How often to look whether PostgreSQL still knows us. It forgets all sessions when it restarts."""

_logger = logging.getLogger(__name__)


class DatabaseInUse(CannotStart):
    """Another process serves from this SQLite file."""


@asynccontextmanager
async def ownership(engine: AsyncEngine) -> AsyncIterator[str]:
    """Own replies under a new name for as long as the context lasts.

    Raises `DatabaseInUse`.
    """
    owner = secrets.token_hex(16)
    if engine.dialect.name == "sqlite":
        lock = _file_lock(engine.url.database or "")
        try:
            yield owner
        finally:
            lock.release()
        return
    held = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(_hold(engine, owner, held))
    try:
        await held
        yield owner
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def seal_orphans(transactions: Transactions, owner: str) -> int:
    """Mark `interrupted` what was running and has no living owner. Returns how many there were."""
    sealed = await transactions.run(lambda connection: _seal(connection, owner))
    if sealed:
        _logger.warning("marked %d replies that a crash had interrupted", sealed)
    return sealed


async def _hold(engine: AsyncEngine, owner: str, held: "asyncio.Future[None]") -> None:
    """Hold PostgreSQL's lock on the owner; take it again whenever the session that had it is lost.

    Who looks for orphans just then takes our replies for some, and tells their readers so. Then so do we.
    """
    while True:
        try:
            # A connection of its own: the lock is the session's, and the pool must not lend it to anyone.
            async with engine.connect() as connection:
                await connection.execute(select(func.pg_advisory_lock(_key(owner))))
                if not held.done():
                    held.set_result(None)
                while True:
                    await connection.commit()
                    await asyncio.sleep(_LOOK_SECONDS)
                    await connection.execute(select(1))
        except Exception as error:  # what a driver makes of a wrong setting may be anything
            if not held.done():
                held.set_exception(error)
                return
            if not isinstance(error, SQLAlchemyError | OSError):
                raise
            await asyncio.sleep(_LOOK_SECONDS)


def _seal(connection: Connection, owner: str) -> int:
    owners = connection.scalars(select(messages.c.owner).where(RUNNING, messages.c.owner != owner).distinct()).all()
    if connection.dialect.name == "postgresql":
        owners = [other for other in owners if _is_dead(connection, other)]
    sealed = update(messages).where(RUNNING, messages.c.owner.in_(owners)).values(state="interrupted")
    return connection.execute(sealed).rowcount if owners else 0


def _is_dead(connection: Connection, owner: str) -> bool:
    """Whether nobody holds the owner's lock; ours on it ends with the transaction."""
    return bool(connection.scalar(select(func.pg_try_advisory_xact_lock(_key(owner)))))


def _key(owner: str) -> int:
    """A lock's name is a signed 64-bit number."""
    return int.from_bytes(bytes.fromhex(owner)[:8], signed=True)


def _file_lock(database: str) -> FileLock:
    """Beside the file itself, by whatever name it was found."""
    file = Path(database).resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_file() and file.stat().st_nlink > 1:
        raise Misconfigured(
            f"{SETTING}: {file} has more than one name (hard links), which SQLite must not be used with. "
            "Next: copy it, and name the copy; or remove the other names."
        )
    lock = FileLock(f"{file}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise DatabaseInUse(
            f"{SETTING}: another process serves from {file}. "
            "Next: stop it, name another file, or use PostgreSQL, which serves many."
        ) from None
    return lock
