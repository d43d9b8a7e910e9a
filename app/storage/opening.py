"""What keeps a database from being opened, in one line for operators: what is wrong, and what to do next.

A server's own words are not repeated: they may hold what it was sent.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from app.chat.errors import CannotStart, Misconfigured
from app.storage.address import SETTING, Address, PostgresServers, SqliteFile
from app.storage.failures import file_trouble
from app.storage.troubles import Told, told_by_code, told_of_network


@contextmanager
def opening(address: Address) -> Iterator[None]:
    """Raises `CannotStart` for whatever goes wrong while a database is being opened."""
    try:
        yield
    except CannotStart:
        raise
    except Exception as error:  # noqa: BLE001 - what drivers raise may be anything
        what, next_step = _told(error, address)
        raise CannotStart(f"{SETTING}: {what}. Next: {next_step}.") from None


def look_for_files(address: Address) -> None:
    """Raises `Misconfigured` where a file that the address names cannot be read."""
    if isinstance(address, PostgresServers):
        for name, file in address.files:
            try:
                with Path(file).open("rb"):
                    pass
            except OSError as error:
                raise Misconfigured(
                    f"{SETTING}: {name} names {file}, which cannot be read ({error.strerror}). "
                    "Next: name a file that is there and that the service may read."
                ) from None


def _told(error: BaseException, address: Address) -> Told:
    causes = list(_causes(error))
    if isinstance(address, SqliteFile):
        return _told_of_file(causes, address)
    for cause in causes:
        code = getattr(cause, "sqlstate", None)
        if isinstance(code, str):
            return told_by_code(code, str(cause), address)
    return told_of_network(causes, address) or (_unusable(error, address.shown), "see the server's log")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, the driver's among them."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        original = error.orig if isinstance(error, DBAPIError) else None
        error = original or error.__cause__ or error.__context__


def _told_of_file(causes: list[BaseException], address: SqliteFile) -> Told:
    path = address.path
    if os.path.isdir(path):  # noqa: PTH112 - which never raises
        return f"{path} is a folder", "name a file in it, as sqlite:///FOLDER/chat.db"
    for cause in causes:
        if isinstance(cause, sqlite3.Error):
            told = _FILE_TROUBLES.get(file_trouble(cause))
            return told(path) if told else (_unusable(cause, path), "restore a backup, or name another file")
    for cause in causes:
        if isinstance(cause, OSError):
            return (
                f"{path} cannot be used ({cause.strerror or type(cause).__name__})",
                "name a file in a folder that the service may write to",
            )
    return _unusable(causes[0], path), "restore a backup, or name another file"


def _unusable(error: BaseException, name: object) -> str:
    return f"{name} cannot be used ({type(error).__name__})"


_FILE_TROUBLES: dict[int, Callable[[Path], Told]] = {
    sqlite3.SQLITE_NOTADB: lambda file: (
        f"{file} is not a SQLite database",
        "name another file, or move this one away",
    ),
    sqlite3.SQLITE_CORRUPT: lambda file: (f"{file} is damaged", "restore a backup"),
    sqlite3.SQLITE_CANTOPEN: lambda file: (
        f"{file} cannot be opened",
        "let the service read and write the file and its folder, or name another one",
    ),
    sqlite3.SQLITE_READONLY: lambda file: (
        f"{file} is read-only",
        "let the service write to the file and its folder, or name another one",
    ),
    sqlite3.SQLITE_BUSY: lambda file: (
        f"{file} is locked by another program",
        "end the program that writes to it, and start again",
    ),
    sqlite3.SQLITE_FULL: lambda file: (f"there is no room for {file}", "free space on its disk"),
    sqlite3.SQLITE_IOERR: lambda file: (
        f"{file} cannot be read or written",
        "check its disk: it may be full, or a network file system without locks",
    ),
}
