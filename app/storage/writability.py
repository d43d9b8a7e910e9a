"""Whether a write would work, so that readiness can tell the truth without a load of writes.

What was written a moment ago is proof enough. Else one small row is written when somebody asks, at most once in a few
seconds, however many ask. On a full disk such a row may still find room where a message does not: after a failure, only
as much as a message takes is proof.
"""

import asyncio
import secrets

from sqlalchemy import Connection, delete, insert
from sqlalchemy.exc import SQLAlchemyError

from app.chat.errors import StorageUnavailable
from app.storage.instances import Fenced
from app.storage.schema import idempotency_keys
from app.storage.transactions import Transactions
from app.storage.writer import Work

_PROOF_SECONDS = 5.0
"""So long a write is proof that the next one works."""
_AGAIN_SECONDS = 1.0
"""After a failure, so long nothing is tried."""
_ROWS = 256
"""A message of 4,000 characters with its reply changes eight of SQLite's pages; these rows fill a dozen."""


class Writability:
    """What became of the last writes."""

    def __init__(self, transactions: Transactions, work: Work) -> None:
        """`work` writes a row, and nothing that matters."""
        self._transactions = transactions
        self._work = work
        # Keys that nobody has, because theirs are digests, and so old that housekeeping takes what a crash leaves.
        self._made_ms = secrets.randbits(31)
        self._worked_until = 0.0
        self._failed_until = 0.0
        self._lock = asyncio.Lock()

    def note(self, *, worked: bool) -> None:
        """Something was written, or could not be."""
        now = asyncio.get_running_loop().time()
        self._worked_until = now + _PROOF_SECONDS if worked else 0
        self._failed_until = 0 if worked else now + _AGAIN_SECONDS

    async def check(self) -> None:
        """Return if a write would work. Raises `StorageUnavailable`."""
        now = asyncio.get_running_loop().time
        async with self._lock:
            if now() < self._failed_until:
                raise StorageUnavailable
            if now() < self._worked_until:
                return
            try:
                await self._transactions.run(self._work)
                if self._failed_until:
                    # In two transactions: what is gone before its end need never reach the disk.
                    await self._transactions.run(self._fill)
                    await self._transactions.run(self._clear)
            except (Fenced, SQLAlchemyError, OSError, TimeoutError):
                self.note(worked=False)
                raise StorageUnavailable from None
            self.note(worked=True)

    def _fill(self, connection: Connection) -> None:
        self._clear(connection)
        names = (f"probe {self._made_ms} {number}" for number in range(_ROWS))
        rows = [{"key": name, "fingerprint": "", "reply_id": name, "created_ms": self._made_ms} for name in names]
        connection.execute(insert(idempotency_keys), rows)

    def _clear(self, connection: Connection) -> None:
        connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_ms == self._made_ms))
