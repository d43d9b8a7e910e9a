"""Group commit: writes that wait at the same time share one transaction.

A commit waits for the disk, so one for each reply would bound how many replies a second there can be. Here the next
transaction takes all that has gathered since the last one began: while that ran, and for a few milliseconds at least. A
record that is saved twice while it waits is written once, as it is then.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app.chat.errors import ChatError, ConversationNotFound, ReplyElsewhere, StorageUnavailable
from app.chat.stored import ReplyRecord
from app.chat.watching import UNMEASURED, Measures
from app.storage.failures import lacks_parent, may_be_one_rows_fault
from app.storage.transactions import Transactions

_logger = logging.getLogger(__name__)

_APART_SECONDS = 0.004
"""Between the beginnings of two transactions: each costs the event loop and a thread more than what a reply adds to it.
What comes alone does not wait."""

_Batch = dict[ReplyRecord, list[asyncio.Future[None]]]
Work = Callable[[Connection], None]
Prepare = Callable[[Sequence[ReplyRecord]], Work]
"""Gives what writes records as they are at the moment; what becomes of them while that runs does not concern it."""


class Outcome(Protocol):
    """Whether a write worked."""

    def __call__(self, *, worked: bool) -> None: ...


def _ignore(*, worked: bool) -> None:
    """The default of `GroupWriter.on_write`."""
    del worked


class GroupWriter:
    """Collects what is to be saved, and owns the one task that writes it."""

    def __init__(self, transactions: Transactions, measures: Measures = UNMEASURED) -> None:
        """Nothing is written before `writing`."""
        self._measures = measures
        self.on_write: Outcome = _ignore
        """Called after each transaction that adds something, or that fails."""
        self._transactions = transactions
        self._waiting: _Batch = {}
        self._news = asyncio.Event()
        self._closing = False

    @asynccontextmanager
    async def writing(self, prepare: Prepare) -> AsyncIterator[None]:
        """Write, with what `prepare` gives, for as long as the context lasts; at its end, what still waits."""
        self._closing = False
        task = asyncio.create_task(self._run(prepare))
        try:
            yield
        finally:
            self._closing = True
            self._news.set()
            await task

    def save(self, record: ReplyRecord) -> "asyncio.Future[None]":
        """Done when the record is committed, as it was at some moment since the call.

        Fails with `StorageUnavailable`; with `ConversationNotFound` if the conversation has been deleted; and with
        `ReplyElsewhere` if there is no place for it.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(record, []).append(future)
        self._news.set()
        return future

    async def _run(self, prepare: Prepare) -> None:
        now = asyncio.get_running_loop().time
        next_at = now()
        while not (self._closing and not self._waiting):
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(0)  # whoever is about to save does so in this turn of the loop
            await asyncio.sleep(0)  # and whoever asks an engine for what is saved, in the next one
            if (wait_seconds := next_at - now()) > 0:
                await asyncio.sleep(wait_seconds)
            next_at = now() + _APART_SECONDS
            batch, self._waiting = self._waiting, {}
            if batch:
                await self._commit(prepare, batch)

    async def _commit(self, prepare: Prepare, batch: _Batch) -> None:
        error: type[ChatError] | None = None
        began_at = perf_counter()
        try:
            try:
                await self._transactions.run(prepare(tuple(batch)))
            finally:
                self._measures.stored("save", perf_counter() - began_at)
        except Exception as problem:  # noqa: BLE001 - whatever it is: who waits must be told, and the next batch served
            if len(batch) > 1 and may_be_one_rows_fault(problem):
                for half in _halves(batch):
                    await self._commit(prepare, half)
                return
            if isinstance(problem, IntegrityError):
                # Another instance has answered, or the conversation was deleted; one with an alias is started anew.
                is_gone = lacks_parent(problem) and not any(record.alias for record in batch)
                refusal = ConversationNotFound if is_gone else ReplyElsewhere
                _tell([future for futures in batch.values() for future in futures], refusal)
                return
            # The kind only: a database's message repeats the values that it was given.
            _logger.error("writing %d replies failed: %s", len(batch), type(problem).__qualname__)  # noqa: TRY400
            error = StorageUnavailable
            self.on_write(worked=False)
        else:
            # To change a reply that may not be there is no proof: that works on a full disk, too.
            if not all(record.stored for record in batch):
                self.on_write(worked=True)
            for record in batch:
                record.stored = True
        _tell([future for futures in batch.values() for future in futures], error)


def _halves(batch: _Batch) -> tuple[_Batch, _Batch]:
    """One that cannot be written is found in a few steps, and the others are written in few transactions."""
    items = list(batch.items())
    middle = len(items) // 2
    return dict(items[:middle]), dict(items[middle:])


def _tell(waiting: Sequence["asyncio.Future[None]"], error: type[ChatError] | None) -> None:
    for future in waiting:
        if future.done():
            continue  # who waited was cancelled
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error())  # one for each: who raises it hangs a traceback on it
