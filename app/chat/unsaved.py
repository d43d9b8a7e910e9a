"""Replies that have ended while the store did not answer: their end is saved as soon as it does."""

import asyncio

from app.chat.errors import StorageUnavailable
from app.chat.model import ReplyRecord
from app.chat.ports import Store
from app.chat.running import RunningReply

_MOST_IN_DOUBT = 1_000
"""So many replies, of which the store may have a beginning or not, are put right when it answers again."""


class UnsavedEnds:
    """Owns no task: `save` is called from time to time. Holds no more replies than there are open streams."""

    def __init__(self, store: Store) -> None:
        """None yet."""
        self._store = store
        self._records: set[ReplyRecord] = set()

    def keep(self, reply: RunningReply) -> None:
        """Remember what is still to be saved of a reply that has ended.

        What was promised is tried until it is kept. What was refused may have been stored nevertheless, if only the
        answer was lost; then it is ended there.
        """
        if not reply.acknowledged:
            if len(self._records) >= _MOST_IN_DOUBT:
                return
            reply.record.stored = True
            reply.record.text = reply.record.user_message = ""
        self._records.add(reply.record)

    async def save(self) -> None:
        """Try once more."""
        records = list(self._records)
        errors = await asyncio.gather(*map(self._store.save, records), return_exceptions=True)
        saved = zip(records, errors, strict=True)
        self._records -= {record for record, error in saved if not isinstance(error, StorageUnavailable)}
