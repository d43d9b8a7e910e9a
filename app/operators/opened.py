"""The database, opened for a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from app.chat.errors import StorageUnavailable
from app.settings import Settings
from app.storage.database import create_engine, database_url, transactions_on
from app.storage.migration import migrate
from app.storage.transactions import Transactions


@asynccontextmanager
async def opened(settings: Settings, *, create: bool = False) -> AsyncIterator[Transactions]:
    """What to run transactions in. `create` makes the database and its tables if they are not there.

    Raises `StorageUnavailable`.
    """
    url = database_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        _look_for(Path(url.database or ""), create=create)
    engine = create_engine(url, settings.storage_seconds)
    transactions = transactions_on(engine, settings.storage_seconds)
    try:
        if create:
            try:
                await migrate(engine)
            except (SQLAlchemyError, OSError):
                raise StorageUnavailable from None
        yield transactions
    finally:
        await transactions.close()
        await engine.dispose()


def _look_for(file: Path, *, create: bool) -> None:
    """SQLite makes a file that is not there, whoever asks for what; and it makes no folder."""
    try:
        if create:
            file.parent.mkdir(parents=True, exist_ok=True)
        is_there = create or file.exists()
    except OSError:
        is_there = False
    if not is_there:
        raise StorageUnavailable
