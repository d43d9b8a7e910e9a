"""One request to an engine and its response, as operators see it: how long it took, and how it ended."""

from time import perf_counter
from types import TracebackType
from typing import Self

from app.chat.watching import Measures, UpstreamOutcome


class Call:
    """A context manager around the request and the reading of its response. Used once."""

    def __init__(self, measures: Measures) -> None:
        """Nothing is sent yet: the reply may have to wait in the queue first, or for ever."""
        self._measures = measures
        self._began_at: float | None = None

    def begin(self) -> None:
        """The request is about to be sent."""
        self._began_at = perf_counter()

    def end(self, outcome: UpstreamOutcome) -> None:
        """It is over; what comes later does not count."""
        if self._began_at is not None:
            self._measures.upstream(outcome, perf_counter() - self._began_at)
            self._began_at = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """If it has no end yet, what is raised tells which: nobody but the service cancels it."""
        self.end("failed" if kind is not None and issubclass(kind, Exception) else "cancelled")
