"""How many words a client may receive per day, over restarts: what it has had is stored, a few times a minute at most.

Clients are stored as digests: an address is personal data.
"""

import asyncio
import hashlib
import logging
import math
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from app.access.counters import FlatCounters
from app.chat.access import BudgetStore, Charge, Spent
from app.chat.errors import WordLimitReached

_DAY_SECONDS = 24 * 3600.0
_GROUP_SECONDS = 1.0
"""Replies that end within this time are written together; a crash forgets no more than these."""

_logger = logging.getLogger(__name__)


class WordBudgets:
    """Counts. An async context manager: as long as it lasts, what is counted is stored."""

    def __init__(self, words: int, store: BudgetStore | None = None, window_seconds: float = _DAY_SECONDS) -> None:
        """`words` are allowed in a window, which begins with a client's first word.

        Without a `store`, the end of the process forgets them.
        """
        self._words = words
        self._store = store
        self._window_seconds = window_seconds
        self._counters = FlatCounters()
        self._unsaved: Counter[str] = Counter()
        self._anew: set[str] = set()
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._is_behind = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Read what clients have had. Raises `StorageUnavailable`."""
        if self._store is not None:
            self._learn(await self._store.spent(_now_ms()))
            self._task = asyncio.create_task(self._keep_saving())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Store what is not stored yet."""
        if self._task is not None:
            self._closing.set()
            self._news.set()
            await self._task

    def allow(self, client: str) -> None:
        """Raise `WordLimitReached` if the client has had all its words."""
        ends_at, count = self._counters.window(_digest(client))
        if count >= self._words:
            raise WordLimitReached(retry_after_seconds=max(1, math.ceil(ends_at - self._counters.now())))

    def charge(self, client: str, words: int) -> None:
        """The client has had so many more."""
        if not words:
            return
        name = _digest(client)
        if self._counters.is_over(name, self._window_seconds):
            self._anew.add(name)
            self._unsaved.pop(name, None)
        self._counters.add(name, self._window_seconds, words)
        if self._store is not None:
            self._unsaved[name] += words
            self._news.set()

    async def _keep_saving(self) -> None:
        while not self._closing.is_set():
            await self._news.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(_GROUP_SECONDS):
                    await self._closing.wait()
            self._news.clear()
            if not self._closing.is_set():
                await self._save()
        await self._save()  # also what was counted while the last ones were stored

    async def _save(self) -> None:
        if self._store is None or not self._unsaved:
            return
        unsaved, anew = self._unsaved, self._anew
        self._unsaved, self._anew = Counter(), set()
        charges = [Charge(client, words, begins_anew=client in anew) for client, words in unsaved.items()]
        try:
            rows = await self._store.spend(charges, _now_ms(), int(self._window_seconds * 1000))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next time it may work
            self._unsaved.update(unsaved)  # twice is better than never, if it was committed all the same
            self._anew |= anew
            self._news.set()
            if not self._is_behind:
                kind = type(error).__qualname__  # its text may repeat what was sent
                _logger.warning(
                    "the words that clients receive cannot be stored now (%s); they are counted all the same", kind
                )
            self._is_behind = True
        else:
            self._is_behind = False
            self._learn(rows)

    def _learn(self, rows: Iterable[Spent]) -> None:
        """What is stored counts: other instances may have added to it."""
        now_ms = _now_ms()
        for row in rows:
            seconds = min((row.ends_ms - now_ms) / 1000, self._window_seconds)
            self._counters.put(row.client, self._window_seconds, seconds, row.words + self._unsaved[row.client])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _digest(client: str) -> str:
    return hashlib.sha256(client.encode()).hexdigest()
