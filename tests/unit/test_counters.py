"""The counters are bounded, whoever sends requests and how often; the cost is independent of the number of clients."""

import asyncio
import itertools
import time
from sys import getsizeof

import pytest
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.strategies import FixedWindowRateLimiter

from app.access import counters
from app.access.budgets import WordBudgets
from app.access.counters import FlatCounters
from app.access.limits import Allowance, Limits
from app.chat.errors import RateLimited, WordLimitReached
from tests.support.growth import assert_linear


def _held(storage: FlatCounters) -> int:
    return sum(map(len, storage._windows.values()))  # noqa: SLF001 - only tests need it


async def test_two_hundred_thousand_clients_take_a_bounded_room() -> None:
    """Names are cheap for an attacker who wants to fill the memory. The newest are kept, because they are active."""
    storage = FlatCounters()
    for n in range(200_000):
        await storage.incr(f"address:{n}", 60)
    assert _held(storage) == counters._MOST_CLIENTS  # noqa: SLF001
    (window,) = storage._windows.values()  # noqa: SLF001
    taken = sum(map(getsizeof, (window, *window, *window.values(), *itertools.chain(*window.values()))))
    assert taken < 40 * 2**20
    assert await storage.get("address:199999") == 1
    assert await storage.get("address:0") == 0


async def test_what_is_over_is_forgotten() -> None:
    """With the next requests, from any client; what has not expired is kept."""
    storage = FlatCounters()
    limiter = FixedWindowRateLimiter(storage)
    short, long = RateLimitItemPerSecond(1), RateLimitItemPerMinute(1)
    for n in range(1_000):
        await limiter.hit(short, f"address:{n}")
    await limiter.hit(long, "address:0")
    await asyncio.sleep(1.01)
    assert await limiter.hit(short, "address:999")
    assert not await limiter.hit(short, "address:999")
    for n in range(1_000):
        await limiter.hit(short, f"another:{n // 5}")
    assert _held(storage) == 202
    assert not await limiter.hit(long, "address:0")


def test_a_request_costs_the_same_however_many_clients_there_are() -> None:
    """Nothing iterates over all of them."""
    assert_linear(lambda clients: asyncio.run(_asked(FlatCounters(), clients)), 500)


def test_nobody_has_to_clear_up_behind_a_flood() -> None:
    """When the windows of very many clients expire, at about the same time."""

    async def flood(clients: int) -> None:
        storage = FlatCounters()
        await _asked(storage, clients, "flood")
        await asyncio.sleep(0.3)
        await _asked(storage, clients)

    assert_linear(lambda clients: asyncio.run(flood(clients)), 3_000)


async def _asked(storage: FlatCounters, clients: int, name: str = "address") -> None:
    """Send requests from this many clients."""
    for n in range(clients):
        await storage.incr(f"{name}:{n}", 0.3)


async def test_windows_of_two_lengths_do_not_mix() -> None:
    """A client's minute and day are counted separately."""
    limiter = FixedWindowRateLimiter(FlatCounters())
    minute, second = RateLimitItemPerMinute(2), RateLimitItemPerSecond(5)
    for _ in range(2):
        assert await limiter.hit(minute, "client")
        assert await limiter.hit(second, "client", cost=2)
    assert not await limiter.test(minute, "client")
    assert await limiter.test(second, "client")
    assert not await limiter.test(second, "client", cost=2)


@pytest.mark.parametrize("hours", [-2, 2], ids=["back", "forward"])
async def test_a_window_is_as_long_as_it_is_when_the_clock_is_set(hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Back, nobody is locked out for longer; forward, nobody gets twice as much."""
    limits = Limits(Allowance(requests=RateLimitItemPerSecond(2), words=WordBudgets(2, window_seconds=1)))
    for _ in range(2):
        await limits.count("client", [])
    limits.charge("client", 2)
    await asyncio.sleep(0)
    wall_clock = time.time
    monkeypatch.setattr(time, "time", lambda: wall_clock() + 3600 * hours)
    for _ in range(2):
        with pytest.raises(RateLimited) as refused:
            await limits.count("client", [])
        assert refused.value.retry_after_seconds == 1
        with pytest.raises(WordLimitReached) as empty:
            limits.allow_words("client")
        assert empty.value.retry_after_seconds == 1
    await asyncio.sleep(1.01)
    await limits.count("client", [])
    limits.allow_words("client")
