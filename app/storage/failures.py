"""What a database's error says: whose fault it is, and whether the session is of any use still."""

import sqlite3

from sqlalchemy.exc import DBAPIError

READ_ONLY = "25006"
"""The server does not take writes, as a standby does not."""

_FOREIGN_KEY_VIOLATION = "23503"
_SESSIONS = ("08", "57P")
_SERVERS = ("08", "25", "40", "53", "55", "57", "58", "F0", "XX")
"""Beginnings of SQLSTATEs: lost connections, wrong states, conflicts, resources, operators, and defects."""
_FILES = {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
_PRIMARY = 0xFF
"""Of an error code of SQLite's, the part that all errors of a kind share."""


def sqlstate_of(error: BaseException | None) -> str:
    """PostgreSQL's five letters, if there are any."""
    if isinstance(error, DBAPIError):
        error = error.orig
    return str(getattr(error, "sqlstate", None) or "")


def file_trouble(error: BaseException | None) -> int:
    """SQLite's primary error code; 0 if it is no error of SQLite's."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY


def lacks_parent(error: DBAPIError) -> bool:
    """Whether a row refers to one that does not exist any more."""
    code: int = getattr(error.orig, "sqlite_errorcode", 0)
    return code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY or sqlstate_of(error) == _FOREIGN_KEY_VIOLATION


def spoils_session(error: BaseException | None) -> bool:
    """Whether the session is of no use any more, though it is open: the server stops, or is no primary any more."""
    state = sqlstate_of(error)
    return state == READ_ONLY or state.startswith(_SESSIONS)


def may_be_one_rows_fault(error: BaseException) -> bool:
    """Whether the others of a batch may go through without it."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, ValueError | OverflowError)  # what a driver makes of a value that it cannot encode
    if error.connection_invalidated:
        return False
    return not sqlstate_of(error).startswith(_SERVERS) and file_trouble(error.orig) not in _FILES
