"""Whose a running reply is, so that after a crash what nobody generates any more can be told from what somebody does.

SQLite is one file and one process: a lock on a file, which the operating system takes away from a process the moment it
dies, keeps a second one out. What runs when a process starts was left behind by a dead one.
"""

import errno
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout
from sqlalchemy import Connection, select, update

from app.chat.errors import CannotStart, Misconfigured
from app.storage.address import SETTING, SqliteFile
from app.storage.schema import RUNNING, messages

_logger = logging.getLogger(__name__)


class DatabaseInUse(CannotStart):
    """Another process serves from this SQLite file."""


class Owner:
    """The name under which this process generates replies."""

    def __init__(self) -> None:
        """One that nobody had before."""
        self.name = ""
        self.rename()

    def rename(self) -> None:
        """Take a new name: what was generated under the old one is not ours any more."""
        self.name = secrets.token_hex(16)


@contextmanager
def file_lock(address: SqliteFile) -> Iterator[None]:
    """Keep other processes from serving from this file, by whatever name they find it.

    Raises `DatabaseInUse`, `Misconfigured` and `OSError`.
    """
    file = address.path.resolve()
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
        if not os.path.lexists(lock.lock_file):  # the folder takes no files, such as /proc
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file)) from None
        raise DatabaseInUse(
            f"{SETTING}: another process serves from {file}. "
            "Next: stop it, name another file, or use PostgreSQL, which several instances can share."
        ) from None
    try:
        yield
    finally:
        lock.release()


def seal_all(connection: Connection) -> int:
    """Mark `interrupted` all that runs: nobody else is there. Returns how many there were."""
    if connection.execute(select(messages.c.reply_id).where(RUNNING).limit(1)).first() is None:
        return 0  # a file that cannot be written is no reason not to read it
    return told_of(connection.execute(update(messages).where(RUNNING).values(state="interrupted")).rowcount)


def told_of(sealed: int) -> int:
    """Log it."""
    if sealed:
        _logger.warning("marked %d replies that a crash had interrupted", sealed)
    return sealed
