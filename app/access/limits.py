"""How much a client, which is a principal or an address, may ask for: requests a minute, streams at once, words a day.

Said in each response as the IETF's draft "RateLimit header fields for HTTP" has it.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem
from limits.aio.strategies import FixedWindowRateLimiter

from app.access.budgets import WordBudgets
from app.access.counters import FlatCounters
from app.chat.errors import ChatError, RateLimited, StreamLimitReached

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What each client may have; nothing said is no limit."""

    requests: RateLimitItem | None = None
    streams: int = 0
    words: WordBudgets | None = None


class Shared(Protocol):
    """`app.access.shared.SharedCounts`: what all instances count together."""

    async def request(self, client: str, window_seconds: int) -> tuple[int, float] | None: ...

    async def enter(self, client: str, most: int) -> bool | None: ...

    def leave(self, client: str) -> None: ...


class Limits:
    """Counts."""

    def __init__(self, allowance: Allowance, shared: Shared | None = None) -> None:
        """Nobody has asked for anything yet. What is not known to be `shared` counts in this process."""
        self._allowance = allowance
        self._shared = shared
        self._streams: Counter[str] = Counter()
        self._counters = FlatCounters()
        self._counter = FixedWindowRateLimiter(self._counters)
        self.are_set = bool(allowance.requests or allowance.streams)
        self.counts_streams = bool(allowance.streams)

    async def count(self, client: str, headers: Headers) -> None:
        """One more request. Adds to `headers` what to say of it; raises `RateLimited` if it is one too many."""
        if (requests := self._allowance.requests) is not None:
            is_allowed = await self._counter.hit(requests, client)
            seconds, left = await self._window(requests, client)
            if self._shared is not None:
                window = await self._shared.request(client, requests.get_expiry())
                if window is not None:
                    is_allowed = window[0] <= requests.amount
                    seconds, left = max(1, math.ceil(window[1])), max(0, requests.amount - window[0])
            headers += [
                (b"ratelimit-policy", f'"requests";q={requests.amount};w={requests.get_expiry()}'.encode()),
                (b"ratelimit", f'"requests";r={left};t={seconds}'.encode()),
            ]
            if not is_allowed:
                raise RateLimited(retry_after_seconds=seconds)

    async def enter(self, client: str) -> None:
        """One more stream. Raises `StreamLimitReached` if it is one too many."""
        if not self._allowance.streams:
            return
        if self._streams[client] >= self._allowance.streams:
            raise StreamLimitReached
        self._streams[client] += 1
        if self._shared is not None:
            is_open: bool | None = False
            try:
                is_open = await self._shared.enter(client, self._allowance.streams)
            finally:
                if is_open is False:
                    self._leave_here(client)
            if is_open is False:
                raise StreamLimitReached

    def leave(self, client: str) -> None:
        """A stream is over."""
        self._leave_here(client)
        if self._shared is not None:
            self._shared.leave(client)

    def meter(self, client: str, refusal: ChatError | None) -> "Meter | None":
        """What counts a client's words, if they are counted; it allows nothing where there is a `refusal`."""
        return Meter(self, client, refusal) if refusal or self._allowance.words is not None else None

    def allow_words(self, client: str) -> None:
        """Raise `WordLimitReached` if the client has received as many as it may."""
        if self._allowance.words is not None:
            self._allowance.words.allow(client)

    def charge(self, client: str, words: int) -> None:
        """The client has received so many more."""
        if self._allowance.words is not None:
            self._allowance.words.charge(client, words)

    def _leave_here(self, client: str) -> None:
        if self._streams[client] <= 1:
            del self._streams[client]
        else:
            self._streams[client] -= 1

    async def _window(self, item: RateLimitItem, client: str) -> tuple[int, int]:
        """In how many seconds there is more, and how much there is now."""
        stats = await self._counter.get_window_stats(item, client)
        return max(1, math.ceil(stats.reset_time - self._counters.now())), stats.remaining


@dataclass(frozen=True, slots=True)
class Meter:
    """`app.chat.replies.Meter`."""

    limits: Limits
    client: str
    refusal: ChatError | None = None

    async def allow(self) -> None:
        """See `app.chat.replies.Meter`."""
        if self.refusal is not None:
            raise self.refusal
        self.limits.allow_words(self.client)

    def charge(self, words: int) -> None:
        """See `app.chat.replies.Meter`."""
        self.limits.charge(self.client, words)
