"""An event loop whose time passes only while it waits, and then at once: timed behaviour, tested exactly."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from typing_extensions import override

Result = TypeVar("Result")


class _Clock(selectors.SelectSelector):
    """Instead of waiting, moves the time on."""

    now = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("nothing is due any more")
        self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what needs no sockets and no threads."""

    def __init__(self) -> None:
        """At time 0."""
        self.clock = _Clock()
        super().__init__(self.clock)

    @override
    def time(self) -> float:
        return self.clock.now


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """As `asyncio.run`."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
