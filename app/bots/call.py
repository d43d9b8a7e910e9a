"""One request to an engine and its response, as operators see it: how long it took, and how it ended."""

from collections.abc import Mapping
from time import perf_counter
from types import TracebackType
from typing import Self

from app.bots.chunks import Completion
from app.bots.trouble import Trouble
from app.chat.watching import Measures, UpstreamCall, UpstreamObserver, UpstreamOutcome


class Call:
    """A context manager around the request and the reading of its response. Used once."""

    def __init__(self, call: UpstreamCall, measures: Measures, observer: UpstreamObserver) -> None:
        """Nothing is sent yet: the reply may have to wait in the queue first, or for ever."""
        self._call = call
        self._measures = measures
        self._observer = observer
        self._began_at: float | None = None

    def begin(self) -> Mapping[str, str]:
        """The request is about to be sent. Returns headers that it gets in addition."""
        self._began_at = perf_counter()
        return self._observer.call_began(self._call)

    def note(self, text: str) -> None:
        """So much of the response has come; it may be no text yet."""
        if text and self._call.first_text_seconds is None and self._began_at is not None:
            self._call.first_text_seconds = perf_counter() - self._began_at

    def complete(self, said: Completion) -> None:
        """The response has its end; what comes later does not count."""
        self._call.finish_reason, self._call.usage = said.reason, said.usage
        self._end("completed")

    def fail(self, trouble: Trouble) -> None:
        """It has failed, as above."""
        self._call.error_code = trouble.error.code
        self._end("failed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """If it has no end yet, what is raised tells which: nobody but the service cancels it."""
        if isinstance(error, Trouble):
            self.fail(error)
        else:
            self._end("failed" if isinstance(error, Exception) else "cancelled")

    def _end(self, outcome: UpstreamOutcome) -> None:
        if self._began_at is not None:
            self._measures.upstream(outcome, perf_counter() - self._began_at)
            self._observer.call_ended(self._call, outcome)
            self._began_at = None
