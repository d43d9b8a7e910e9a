"""Brings a database to the revision that the tables of `app.storage.schema` have, in one transaction."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chat.errors import CannotStart
from app.storage.address import SETTING
from app.storage.schema import REVISION, compatibility

if TYPE_CHECKING:
    from alembic.config import Config

_logger = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATING = 0x636861742D646221
"""Names the lock that keeps instances which start together from migrating together."""


def changed_by_newer(revision: str) -> CannotStart:
    """What to tell of a database that a newer version of the service has changed, so that this one cannot use it."""
    return CannotStart(
        f"{SETTING}: a newer version of the service has changed this database (revision {revision}; this one "
        f"knows {REVISION}). Next: run that version or a newer one, or restore a backup from before."
    )


async def migrate(engine: AsyncEngine) -> None:
    """Upgrade to the newest revision; next to nothing where the database has it already, or a newer one that suits us.

    Raises `CannotStart` for a newer one that does not.
    """
    async with engine.connect() as connection:
        before = await connection.run_sync(revision)
        if before == REVISION:
            return
        if before is not None and before > REVISION:
            oldest = await connection.run_sync(_oldest)
            if oldest is None or oldest > REVISION:
                raise changed_by_newer(before)
            _logger.info("a newer version of the service has changed the database, and this one can use it")
            return
        await connection.rollback()
        if engine.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
        else:
            # To change a table may mean to copy and drop it, which must not delete what refers to its rows. And the
            # driver begins no transaction for such statements by itself; a crash half way must leave nothing behind.
            await connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
        await connection.run_sync(_upgrade)
        await connection.commit()
        _logger.info("the database was brought to revision %s", REVISION, extra={"before": before})
        if engine.dialect.name == "sqlite":
            await connection.exec_driver_sql("PRAGMA foreign_keys = ON")


async def check_encoding(engine: AsyncEngine) -> None:
    """Raises `CannotStart` for a PostgreSQL database that cannot hold whatever people and models write."""
    async with engine.connect() as connection:
        encoding = await connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise CannotStart(
            f"{SETTING}: the database is encoded in {encoding}, which does not have all characters. "
            "Next: create one with ENCODING 'UTF8' TEMPLATE template0, and copy what is in this one."
        )


async def revision_of(engine: AsyncEngine) -> str | None:
    """The revision that the database has; `None` where nothing of ours is in it."""
    async with engine.connect() as connection:
        return await connection.run_sync(revision)


def revision(connection: Connection) -> str | None:
    """As `revision_of`."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def alembic_config(connection: Connection) -> "Config":
    """Alembic's configuration; there is no ini file."""
    from alembic.config import Config  # noqa: PLC0415 - the import takes half a second, and is seldom needed

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it has a line for each step
    from alembic import command  # noqa: PLC0415 - as above

    command.upgrade(alembic_config(connection), "head")


def _oldest(connection: Connection) -> str | None:
    """The oldest revision whose version can use these tables; `None` where nothing says so."""
    if not inspect(connection).has_table(compatibility.name):
        return None
    oldest: str | None = connection.scalar(select(func.max(compatibility.c.oldest)))
    return oldest
