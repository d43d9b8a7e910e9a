"""The metrics of a process: where they are counted, what counts, and what writes them down."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from app.telemetry.cells import Cells
from app.telemetry.exposition import Exposition
from app.telemetry.metrics import Metrics
from app.telemetry.table import families


@dataclass(frozen=True, slots=True)
class Block:
    """A process's block in the memory that several share; by default, it is alone."""

    descriptor: int | None = None
    process: int = 0
    processes: int = 1


ALONE = Block()


class Counting:
    """Counts for one process, and writes down what all have counted. An async context manager."""

    _task: asyncio.Task[None]

    def __init__(self, bot: str, statuses: Mapping[str, int], version: str, block: Block) -> None:
        """See `app.telemetry.table`; `version` is the service's."""
        self.cells = Cells(families(bot, statuses), block.processes, block.process, block.descriptor)
        self.metrics = Metrics(self.cells, bot)
        self.exposition = Exposition(self.cells, version, {"bot": bot})

    async def __aenter__(self) -> Self:
        """Watch the event loop."""
        self._task = asyncio.create_task(self.metrics.keep_measuring_lag())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """No longer."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
