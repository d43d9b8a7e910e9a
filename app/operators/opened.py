"""Opens the database for a command."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from app.chat.errors import CannotStart, StorageUnavailable
from app.settings import Settings
from app.storage.address import SETTING, Address, SqliteFile, database_url
from app.storage.database import create_engine, transactions_on, update
from app.storage.migration import changed_by_newer, revision_of
from app.storage.opening import look_for_files, opening
from app.storage.schema import REVISION
from app.storage.transactions import Transactions


class NeverUsed(CannotStart):
    """The database does not exist, or the service has never used it."""


@asynccontextmanager
async def opened(settings: Settings, *, create: bool = False) -> AsyncIterator[Transactions]:
    """Open the database for transactions. `create` creates the database and its tables if they do not exist.

    Raises `CannotStart`; without `create`, also `NeverUsed`.
    """
    address = database_url(settings.database_url)
    engine = create_engine(address, settings.storage_seconds)
    transactions = transactions_on(engine, settings.storage_seconds)
    revision: str | None = REVISION
    try:
        with opening(address):
            look_for_files(address)
            if isinstance(address, SqliteFile):
                _look_for(address.path, create=create)
            if create:
                await update(address, engine, transactions, settings.storage_seconds)
            else:
                revision = await revision_of(engine)
                _check(revision, address)
        try:
            yield transactions
        except StorageUnavailable:
            if revision is not None and revision > REVISION:  # it may have renamed what the command looks for
                raise changed_by_newer(revision) from None
            raise
    finally:
        await transactions.close()
        await engine.dispose()


def told(command: Callable[[], int]) -> int:
    """Run a command and return its exit status; errors of the database become one line."""
    try:
        return command()
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    except StorageUnavailable:
        sys.stderr.write(f"{SETTING}: the database no longer answers. Next: check its log, and try again.\n")
        return CannotStart.exit_status


def _look_for(file: Path, *, create: bool) -> None:
    """Check that the file exists: SQLite would create it, even for reading. With `create`, create its folder."""
    if create:
        file.parent.mkdir(parents=True, exist_ok=True)
    elif not file.exists():
        raise NeverUsed(f"{SETTING}: there is no file {file}. Next: correct the name, or start the service once.")


def _check(revision: str | None, address: Address) -> None:
    if revision is None:
        raise NeverUsed(
            f"{SETTING}: the service has never used this database ({address.shown}). "
            "Next: correct the name, or start the service once."
        )
    if revision < REVISION:
        raise CannotStart(
            f"{SETTING}: an older version of the service created this database. Next: start the service once."
        )
