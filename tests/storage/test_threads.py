"""Blocking calls run in a few threads; their outcome comes back to the event loop."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

from app.storage.threads import Threads

_PATIENCE_SECONDS = 60
_MOST = 3

Result = TypeVar("Result")


def _call(threads: Threads, function: Callable[[], Result]) -> "asyncio.Future[Result]":
    outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    threads.call(function, outcome)
    return outcome


async def test_calls_run_at_once_and_no_more_of_them_than_there_are_threads() -> None:
    """As many as meet here must run at the same time, or none of them returns."""
    threads = Threads(_MOST, "test")
    meeting = threading.Barrier(_MOST, timeout=_PATIENCE_SECONDS)
    ran_in: set[int] = set()

    def meet() -> int:
        ran_in.add(threading.get_ident())
        return meeting.wait()

    calls = [_call(threads, meet) for _ in range(2 * _MOST)]
    places = await asyncio.wait_for(asyncio.gather(*calls), _PATIENCE_SECONDS)
    assert sorted(places) == sorted([*range(_MOST), *range(_MOST)])
    assert len(ran_in) == _MOST
    await threads.close()


async def test_an_error_is_raised_where_the_outcome_is_awaited() -> None:
    """And the thread goes on with the next call."""
    threads = Threads(1, "test")
    failed, worked = _call(threads, lambda: int("x")), _call(threads, lambda: "well")
    with pytest.raises(ValueError, match="invalid literal"):
        await failed
    assert await worked == "well"
    await threads.close()


async def test_closing_waits_for_the_calls_also_for_those_that_nobody_waits_for() -> None:
    """Then there are no threads any more, until the next call."""
    threads = Threads(1, "closing")
    done: list[str] = []
    awaited, abandoned = _call(threads, lambda: done.append("first")), _call(threads, lambda: done.append("abandoned"))
    abandoned.cancel()
    await threads.close()
    await awaited
    assert done == ["first", "abandoned"]
    assert "closing" not in {thread.name for thread in threading.enumerate()}
    assert await _call(threads, lambda: "again") == "again"
    await threads.close()


async def test_closing_ends_a_thread_that_has_not_run_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take its time to run it, and it runs the call all the same."""

    class Late(threading.Thread):
        def run(self) -> None:
            time.sleep(0.05)
            super().run()

    monkeypatch.setattr(threading, "Thread", Late)
    threads = Threads(1, "late")
    call = _call(threads, lambda: "done")
    await asyncio.wait_for(threads.close(), _PATIENCE_SECONDS)
    assert await call == "done"
    assert "late" not in {thread.name for thread in threading.enumerate()}


async def test_a_thread_that_cannot_be_started_is_missed_only_as_long_as_that_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With another one, calls wait for that; without any, they fail, and are not made later."""
    threads = Threads(2, "scarce")
    done: list[str] = []

    def refuse(_: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            with pytest.raises(OSError, match="thread"):
                await _call(threads, lambda: done.append("failed"))
    first = _call(threads, lambda: done.append("first"))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        second = _call(threads, lambda: done.append("second"))
        await asyncio.wait_for(asyncio.gather(first, second), _PATIENCE_SECONDS)
    assert done == ["first", "second"]
    await threads.close()
