"""Whether a write would work, so that readiness can tell the truth without a load of writes.

What was written a moment ago is proof enough. Else one small row is written when somebody asks, at most once in a few
seconds, however many ask.
"""

import asyncio

from sqlalchemy.exc import SQLAlchemyError

from app.chat.errors import StorageUnavailable
from app.storage.transactions import Transactions
from app.storage.writer import Work

_PROOF_SECONDS = 5.0
"""So long a write is proof that the next one works."""
_AGAIN_SECONDS = 1.0
"""After a failure, so long nothing is tried."""


class Writability:
    """What became of the last writes."""

    def __init__(self, transactions: Transactions, work: Work) -> None:
        """`work` writes a row, and nothing that matters."""
        self._transactions = transactions
        self._work = work
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
            except (SQLAlchemyError, OSError, TimeoutError):
                self.note(worked=False)
                raise StorageUnavailable from None
            self.note(worked=True)
