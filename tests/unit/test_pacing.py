"""Pauses that share timers: each ends when it is due, whatever becomes of the others."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bots.pacing import Pauses
from tests.support import virtual_time

_MS = st.integers(min_value=1, max_value=2_500)


async def _paused(pauses: Pauses, ms: int) -> float:
    """How many seconds it lasted."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    await pauses.begin(loop, ms / 1000)
    return loop.time() - began_at


@given(st.lists(st.tuples(_MS, _MS, st.booleans()), min_size=1, max_size=30))
def test_each_pause_ends_when_it_is_due(plan: list[tuple[int, int, bool]]) -> None:
    """Whenever it begins, and whatever others are stopped meanwhile."""

    async def pause_all() -> None:
        pauses = Pauses()

        async def pause(starts_ms: int, ms: int) -> float:
            await asyncio.sleep(starts_ms / 1000)
            return await _paused(pauses, ms)

        tasks = [asyncio.create_task(pause(starts_ms, ms)) for starts_ms, ms, _ in plan]
        await asyncio.sleep(0.5)
        for task, (_, _, is_stopped) in zip(tasks, plan, strict=True):
            if is_stopped:
                task.cancel()
        for task, (_, ms, is_stopped) in zip(tasks, plan, strict=True):
            if is_stopped:
                with suppress(asyncio.CancelledError):
                    await task
            else:
                assert await task == pytest.approx(ms / 1000, abs=0.001)

    virtual_time.run(pause_all())


def test_pauses_that_end_together_share_a_timer_and_end_in_their_order() -> None:
    """A thousand streams cost the event loop as many timers as there are milliseconds."""

    async def pause_all() -> tuple[int, list[int]]:
        loop, pauses = asyncio.get_running_loop(), Pauses()
        timers = 0
        call_at = loop.call_at

        def counted(when: float, callback: object, *args: object, **context: object) -> asyncio.TimerHandle:
            nonlocal timers
            timers += 1
            return call_at(when, callback, *args, **context)  # type: ignore[arg-type]  # as it was called

        loop.call_at = counted  # type: ignore[method-assign]
        ended: list[int] = []

        async def pause(number: int) -> None:
            await pauses.begin(loop, 0.05)
            ended.append(number)

        await asyncio.gather(*map(pause, range(1000)))
        return timers, ended

    assert virtual_time.run(pause_all()) == (1, list(range(1000)))


def test_a_long_pause_that_is_stopped_leaves_no_timer() -> None:
    """Else each stopped reply would be remembered for minutes."""

    async def stop() -> bool:
        loop = asyncio.get_running_loop()
        pause = Pauses().begin(loop, 600)
        timer: asyncio.TimerHandle = loop._scheduled[-1]  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way
        pause.cancel()
        await asyncio.sleep(0)
        return timer.cancelled()

    assert virtual_time.run(stop())


def test_pauses_go_on_where_another_event_loop_has_stopped() -> None:
    """What waited there waits for ever; here, nothing does."""
    pauses = Pauses()

    async def leave() -> None:
        _ = pauses.begin(asyncio.get_running_loop(), 0.05)

    virtual_time.run(leave())
    assert virtual_time.run(_paused(pauses, 50)) == pytest.approx(0.05)
