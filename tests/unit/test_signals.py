"""A signal does what an `asyncio.Event` does."""

import asyncio

import anyio
import pytest

from app.server.signals import Signal

_PATIENCE_SECONDS = 60


@pytest.mark.parametrize("make", [asyncio.Event, Signal])
async def test_all_who_wait_are_woken_also_if_another_one_gave_up(make: type[asyncio.Event] | type[Signal]) -> None:
    """And also if it is cleared before they have run."""
    signal = make()
    waiting = [asyncio.create_task(signal.wait()) for _ in range(3)]
    await anyio.lowlevel.checkpoint()
    waiting[1].cancel()
    await anyio.lowlevel.checkpoint()
    assert [task.done() for task in waiting] == [False, True, False]
    assert not signal.is_set()
    signal.set()
    signal.clear()
    with anyio.fail_after(_PATIENCE_SECONDS):
        assert await waiting[0]
        assert await waiting[2]
    assert waiting[1].cancelled()


@pytest.mark.parametrize("make", [asyncio.Event, Signal])
async def test_it_stays_set_until_it_is_cleared(make: type[asyncio.Event] | type[Signal]) -> None:
    """Who comes later does not wait; after that, everybody does."""
    signal = make()
    signal.set()
    with anyio.fail_after(_PATIENCE_SECONDS):
        assert await signal.wait()
        assert await signal.wait()
    signal.clear()
    waiting = asyncio.create_task(signal.wait())
    await anyio.lowlevel.checkpoint()
    assert not waiting.done()
    signal.set()
    with anyio.fail_after(_PATIENCE_SECONDS):
        assert await waiting
