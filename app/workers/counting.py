"""The metrics of all workers, as their parent has them: it owns the memory, and can serve them on a port of its own."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from socket import socket

from app.contract import Contract
from app.observation import counting_of
from app.scraping import metrics_served
from app.settings import Settings
from app.telemetry.cells import shared_memory
from app.telemetry.counting import ALONE, Block


class SharedMetrics:
    """Each worker counts in a block of its own, which its successor takes over."""

    def __init__(self, settings: Settings, sockets: Sequence[socket]) -> None:
        """`sockets` are bound, and for the metrics; there may be none."""
        self._settings = settings
        self._sockets = sockets
        self.descriptor: int | None = None
        """Of the memory, if metrics are counted."""
        contract = Contract.load(settings.max_message_characters)
        counting = counting_of(settings, contract, ALONE)
        if counting is not None:
            self.descriptor = shared_memory(counting.cells.families, settings.workers)
            counting = counting_of(settings, contract, Block(self.descriptor, processes=settings.workers))
        self._counting = counting

    def served(self) -> AbstractAsyncContextManager[None]:
        """Serve them for as long as the context lasts."""
        exposition = self._counting.exposition if self._counting else None
        return metrics_served(self._settings, self._sockets, exposition)

    def forget_present(self, worker: int) -> None:
        """A worker has ended; the first one is 0."""
        if self._counting is not None:
            self._counting.cells.forget_present(worker)
