"""Starting a worker's process when there are too few descriptors for it."""

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from app.chat.errors import CannotStart
from app.settings import Settings
from app.workers.channel import Task
from app.workers.process import started

_LIMIT = 1024
_MOST = 20
"""More than are open at any moment of a start."""


@contextmanager
def _left(count: int) -> Iterator[None]:
    """Only so many more files may be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (_LIMIT, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_worker_that_cannot_be_started_leaves_nothing_behind() -> None:
    """Wherever it fails: for its channel, its input, or its error."""
    this = psutil.Process()
    counts = os.open(os.devnull, os.O_RDWR)
    task = Task(Settings(), number=1, workers=1, listeners=(), counts=counts)
    await asyncio.sleep(0)
    files, children = this.num_fds(), this.children()
    reasons = set()
    for count in range(_MOST):
        try:
            with _left(count):
                worker = await started(task)
        except CannotStart as error:
            reasons.add(str(error))
        else:
            break
        await asyncio.sleep(0)
        assert (this.num_fds(), this.children()) == (files, children)
    else:
        pytest.fail(f"a start takes more than {_MOST} descriptors")
    worker.kill()
    await worker.ended()
    os.close(counts)
    assert count > 4
    (reason,) = reasons
    assert (
        reason
        == "a worker's process cannot be started: Too many open files. Next: raise the limit on open files (ulimit -n)"
    )
