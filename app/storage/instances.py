"""The statements about instances: each has a row, with the last sign of its life by the database's clock."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Connection,
    Table,
    and_,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import sqlite

from app.storage.schema import RUNNING, cancellations, instances, messages, readings

_NOW_MS = cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger)
_STARTED_MS = cast(func.extract("epoch", func.pg_postmaster_start_time()) * 1000, BigInteger)
_FENCE = "SELECT pg_advisory_xact_lock_shared($1, $2) FROM instances WHERE owner = $3 FOR KEY SHARE"
_WRITERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND classid = :space"
    " AND objid = :number AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND pid IN (SELECT pid FROM pg_stat_activity WHERE usename = current_user)"  # others may not be ended
)
_SPACE = 0x63686174
"""Of the locks that writers hold during a transaction; among them, each instance has a number."""

Stamp = tuple[str, int]
"""An instance's name, and when it last touched its row, in milliseconds; 0 if it has none."""


class Fenced(Exception):
    """This instance was declared dead: under this name, it may not write any more."""


@dataclass(frozen=True, slots=True)
class Other:
    """Another instance."""

    stamp: Stamp
    lease_seconds: float
    silent_seconds: float
    """How long the database, while it was there, has had no sign of its life."""


def fence(connection: Connection, owner: str) -> None:
    """Let nobody declare the instance dead before the transaction ends, and let others see whose it is.

    Raises `Fenced`.
    """
    alive = connection.exec_driver_sql(_FENCE, (_SPACE, _number(owner), owner))
    if alive.first() is None:
        raise Fenced


def end_transactions(connection: Connection, owners: Iterable[str]) -> int:
    """End the sessions in which instances are writing. Returns how many.

    One that stands still in the midst of a transaction holds its row for ever, and PostgreSQL's own limits do not see
    it: between two messages of one statement, a session counts as active.
    """
    return sum(len(connection.execute(_WRITERS, {"space": _SPACE, "number": _number(owner)}).all()) for owner in owners)


def enter(connection: Connection, owner: str, lease_seconds: float) -> None:
    """Begin to live."""
    row = {"owner": owner, "seen_ms": _NOW_MS, "lease_ms": int(lease_seconds * 1000)}
    connection.execute(insert(instances).values(row))


def touch(connection: Connection, owner: str) -> None:
    """Give a sign of life. Raises `Fenced`."""
    fence(connection, owner)
    connection.execute(update(instances).where(instances.c.owner == owner).values(seen_ms=_NOW_MS))


def write_something(connection: Connection) -> None:
    """Into SQLite, whose one instance has no row: so that it is known that a write works."""
    row = sqlite.insert(instances).values(owner="this", seen_ms=time.time_ns() // 1_000_000, lease_ms=0)
    connection.execute(row.on_conflict_do_update(index_elements=["owner"], set_={"seen_ms": row.excluded.seen_ms}))


def leave(connection: Connection, owner: str) -> None:
    """Be known no more. What still runs under the name, others find."""
    for table in (cancellations, readings):
        connection.execute(delete(table).where(table.c.owner == owner))
    connection.execute(delete(instances).where(instances.c.owner == owner))


def others(connection: Connection, owner: str, lease_seconds: float) -> list[Other]:
    """All other instances, and names that generate replies and have no row: those get our `lease_seconds`."""
    now_ms, started_ms = connection.execute(select(_NOW_MS, _STARTED_MS)).one()
    rows = connection.execute(select(instances).where(instances.c.owner != owner))
    known = [
        Other(
            (row.owner, row.seen_ms),
            row.lease_ms / 1000,
            min(abs(now_ms - row.seen_ms), now_ms - started_ms) / 1000,  # the clock may have been set back
        )
        for row in rows
    ]
    unknown = (
        select(messages.c.owner)
        .where(RUNNING, messages.c.owner != owner, ~exists().where(instances.c.owner == messages.c.owner))
        .distinct()
    )
    nameless = [name for name in connection.scalars(unknown).all() if _is_free(connection, name)]
    return known + [Other((name, 0), lease_seconds, (now_ms - started_ms) / 1000) for name in nameless]


def seal(connection: Connection, suspects: Sequence[Stamp], heir: str | None = None) -> list[str]:
    """Mark `interrupted` what instances generate that have not touched their rows since. Returns the replies' ids.

    With an `heir`, they run on as that instance's, which looks for their last words before it ends them: a reply that
    readers have been told to be over does not grow.
    """
    unchanged = or_(*(and_(instances.c.owner == name, instances.c.seen_ms == seen_ms) for name, seen_ms in suspects))
    # One that is writing at this moment is no dead one.
    dead = select(instances.c.owner).where(unchanged).with_for_update(skip_locked=True)
    gone = delete(instances).where(instances.c.owner.in_(dead)).returning(instances.c.owner)
    nameless = {name for name, seen_ms in suspects if not seen_ms}
    if nameless:  # it may have its row by now
        nameless -= set(connection.scalars(select(instances.c.owner).where(instances.c.owner.in_(nameless))).all())
    names = [*connection.scalars(gone).all(), *(name for name in nameless if _is_free(connection, name))]
    for table in (cancellations, readings):
        connection.execute(delete(table).where(table.c.owner.in_(names)))
    left = {"state": "interrupted"} if heir is None else {"owner": heir}
    sealed = update(messages).where(RUNNING, messages.c.owner.in_(names)).values(left)
    return list(connection.scalars(sealed.returning(messages.c.reply_id)).all()) if names else []


def take_cancellations(connection: Connection, owner: str) -> list[str]:
    """The replies of this instance that others were asked to cancel, each once."""
    return _taken(connection, cancellations, owner)


def take_readings(connection: Connection, owner: str) -> list[str]:
    """The replies of this instance that have been read elsewhere since the last call."""
    return _taken(connection, readings, owner)


def _taken(connection: Connection, table: Table, owner: str) -> list[str]:
    return list(connection.scalars(delete(table).where(table.c.owner == owner).returning(table.c.reply_id)).all())


def lock_for_old_versions(connection: Connection, owner: str) -> None:
    """Version 0.2 takes for dead whose lock is free, and has no rows: while it is updated, both may run.

    The lock is the session's. That is as good as it was: 0.2 did not work with a pooler, which hands sessions around.
    """
    connection.execute(select(func.pg_try_advisory_lock(_key(owner))))


def _is_free(connection: Connection, owner: str) -> bool:
    """Whether no instance of version 0.2 holds the lock; ours on it ends with the transaction."""
    return bool(connection.scalar(select(func.pg_try_advisory_xact_lock(_key(owner)))))


def _number(owner: str) -> int:
    """31 bits: what is an `oid` in the list of locks is a signed number when one is taken."""
    return int.from_bytes(bytes.fromhex(owner)[:4]) >> 1


def _key(owner: str) -> int:
    """A lock's name is a signed 64-bit number."""
    return int.from_bytes(bytes.fromhex(owner)[:8], signed=True)
