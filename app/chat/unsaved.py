"""Replies that ended while the store was unavailable: their end is saved when it is back."""

import asyncio

from app.chat.errors import StorageUnavailable
from app.chat.ports import Store
from app.chat.running import RunningReply
from app.chat.stored import ReplyRecord

_MOST_IN_DOUBT = 1_000
"""At most this many replies whose start the store may or may not have are corrected when it is back."""


class UnsavedEnds:
    """Owns no task: `save` is called periodically. Bounded by the number of open streams."""

    def __init__(self, store: Store) -> None:
        """Start empty."""
        self._store = store
        self._records: set[ReplyRecord] = set()

    def keep(self, reply: RunningReply) -> None:
        """Remember a reply that has ended, but whose end is not saved.

        An acknowledged reply is retried until it is saved. One that the store rejected may be stored nevertheless, if
        only the response was lost; then it is marked as ended there.
        """
        if not reply.acknowledged:
            if len(self._records) >= _MOST_IN_DOUBT:
                return
            reply.record.stored = True
            reply.record.text = reply.record.user_message = ""
        self._records.add(reply.record)

    async def save(self) -> None:
        """Retry all of them once."""
        records = list(self._records)
        errors = await asyncio.gather(*map(self._store.save, records), return_exceptions=True)
        saved = zip(records, errors, strict=True)
        self._records -= {record for record, error in saved if not isinstance(error, StorageUnavailable)}
