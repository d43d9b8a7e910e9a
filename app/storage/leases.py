"""Which instances live, where several share a PostgreSQL database; and the end of what dead ones have left behind.

Each instance has a row that it touches a few times in the length of its lease. One that has not done so for a whole
lease is dead: any other instance deletes the row and marks its replies `interrupted`, in one transaction; or takes them
over, and ends them when it has found their last words. Who writes
replies locks its own row first, so that a dead instance that comes back changes nothing: it finds no row, ends what it
generates, and goes on under a new name.

Nothing is held for longer than a transaction. A pooler in transaction mode hands sessions around, and a restart of
PostgreSQL ends them all; neither is the death of an instance.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.chat.watching import UNMEASURED, Measures
from app.storage.instances import (
    Fenced,
    Stamp,
    end_transactions,
    enter,
    leave,
    lock_for_old_versions,
    others,
    seal,
    take_cancellations,
    take_readings,
    touch,
)
from app.storage.owner import Owner, told_of
from app.storage.postgres import Connector

_BEATS = 4
"""In the length of a lease."""
_RETRY_SECONDS = 0.5
_GRACE_SECONDS = 1.0
"""So long a leaving instance may take to say so; else others find out."""

_ENDING_SECONDS = 0.2
"""So long a session may take to end, before it is looked for the next time."""

_TROUBLE = (SQLAlchemyError, OSError, TimeoutError)

_logger = logging.getLogger(__name__)


class Generated(Protocol):
    """The replies that this instance generates."""

    recovers: bool
    """Whether a dead instance may have shared more of the words of its replies than it saved."""

    def interrupt(self) -> None:
        """End them all: this instance was declared dead, and readers elsewhere were told that they are interrupted."""
        ...

    def confirm(self) -> None:
        """This instance has just given a sign of life: nobody has taken it for dead."""
        ...

    def cancel_all(self, reply_ids: Iterable[str]) -> None:
        """Cancel these: clients have asked other instances to."""
        ...

    def keep_all(self, reply_ids: Iterable[str]) -> None:
        """These are read at other instances."""
        ...

    def recover(self, reply_ids: Iterable[str], heir: str) -> None:
        """End these of a dead instance with all the words that it shared, if they are the heir's, and run."""
        ...


class Lease:
    """Keeps an instance alive. An async context manager."""

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        engine: AsyncEngine,
        connector: Connector,
        owner: Owner,
        seconds: float,
        generated: Generated,
        *,
        measures: Measures = UNMEASURED,
    ) -> None:
        """`seconds` without a sign of life are death; `generated` is what others may end here."""
        self.is_held = False
        """Whether the last beat was written."""
        self._engine = engine
        self._connector = connector
        self._owner = owner
        self._seconds = seconds
        self._generated = generated
        self._measures = measures
        self._since: dict[Stamp, float] = {}  # nothing has changed
        self._trusts_at = 0.0
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        """Begin to live. Raises what the database does if it cannot be."""
        async with self._engine.begin() as connection:
            await connection.run_sync(enter, self._owner.name, self._seconds)
        self.is_held = True
        self._measures.lease_renewed()
        self._task = asyncio.create_task(self._live())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave; what still runs under this name is left to others."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with suppress(*_TROUBLE):
            async with asyncio.timeout(_GRACE_SECONDS), self._engine.begin() as connection:
                await connection.run_sync(leave, self._owner.name)

    async def _live(self) -> None:
        while True:
            try:
                await self._beat_while_it_works()
            except _TROUBLE:
                pass
            except Exception as problem:  # noqa: BLE001 - without this task, others take this instance for dead
                _logger.error("the lease was not renewed: %s", type(problem).__qualname__)  # noqa: TRY400
            # Others may not have reached the database either: it takes a whole lease to tell who is dead.
            self.is_held = False
            self._since.clear()
            self._trusts_at = asyncio.get_running_loop().time() + self._seconds
            self._connector.distrust()
            await asyncio.sleep(min(_RETRY_SECONDS, self._seconds / _BEATS))

    async def _beat_while_it_works(self) -> None:
        # A connection of its own: a pool that is in full use is no death.
        async with asyncio.timeout(self._seconds / 2) as patience, self._engine.connect() as connection:
            await self._lock(connection)
            while True:
                await self._beat(connection)
                await self._end_what_the_dead_have_left(connection)
                patience.reschedule(None)
                await asyncio.sleep(self._seconds / _BEATS)
                patience.reschedule(asyncio.get_running_loop().time() + self._seconds / 2)

    async def _beat(self, connection: AsyncConnection) -> None:
        began_at = asyncio.get_running_loop().time()
        try:
            await connection.run_sync(touch, self._owner.name)
        except Fenced:
            _logger.error("this instance was taken for dead: its running replies end")  # noqa: TRY400 - as it is
            self._owner.rename()
            self._generated.interrupt()
            await connection.run_sync(enter, self._owner.name, self._seconds)
            await self._lock(connection)
        cancelled = await connection.run_sync(take_cancellations, self._owner.name)
        read = await connection.run_sync(take_readings, self._owner.name)
        await connection.commit()
        self.is_held = True
        self._measures.lease_renewed()
        if asyncio.get_running_loop().time() - began_at < self._seconds:  # else it may be too old to say anything
            self._generated.confirm()
        self._generated.cancel_all(cancelled)
        self._generated.keep_all(read)

    async def _lock(self, connection: AsyncConnection) -> None:
        if self._connector.prepares:  # with a pooler, the session is nobody's
            await connection.run_sync(lock_for_old_versions, self._owner.name)

    async def _end_what_the_dead_have_left(self, connection: AsyncConnection) -> None:
        seen = await connection.run_sync(others, self._owner.name, self._seconds)
        now = asyncio.get_running_loop().time()
        self._since = {other.stamp: self._since.get(other.stamp, now) for other in seen}
        suspects = [
            other.stamp
            for other in seen
            # By the database's clock, and while we looked: that a clock jumps is nobody's death.
            if other.silent_seconds > other.lease_seconds and now - self._since[other.stamp] >= other.lease_seconds / 2
        ]
        if not suspects or now < self._trusts_at:
            await connection.commit()
            return
        if await connection.run_sync(end_transactions, [name for name, _ in suspects]):
            await asyncio.sleep(_ENDING_SECONDS)
        heir = self._owner.name if self._generated.recovers else None
        left = await connection.run_sync(seal, suspects, heir)
        try:
            await connection.commit()
        finally:  # if only the answer is lost, they are ours
            if heir is not None:
                self._generated.recover(left, heir)
        self._measures.sealed(told_of(len(left)))
