"""What watches the service, as the settings have it: metrics, traces, and the log's line for the end of each reply."""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from app.chat.errors import Misconfigured
from app.chat.watching import (
    UNMEASURED,
    UNTRACED,
    Measures,
    ReplyObserver,
    ReplyObservers,
    UpstreamObserver,
)
from app.contract import Contract
from app.settings import Settings
from app.telemetry.counting import Block, Counting
from app.telemetry.endings import EndingsLog
from app.telemetry.exposition import Exposition

if TYPE_CHECKING:
    from app.telemetry.traces import Traces


class Observation:
    """The observers of one process."""

    def __init__(self, settings: Settings, contract: Contract, block: Block) -> None:
        """Metrics are counted in the `block`. Raises `Misconfigured`."""
        traces = _traces(settings, contract.version)
        counting = counting_of(settings, contract, block)
        present = [part for part in (traces, counting) if part is not None]
        # Traces come first, so that the others know of a reply's trace.
        observers: list[ReplyObserver] = [traces] if traces else []
        observers += [counting.metrics] if counting else []
        self.replies = ReplyObservers([*observers, EndingsLog(settings.bot)])
        self.measures: Measures = counting.metrics if counting else UNMEASURED
        self.calls: UpstreamObserver = traces or UNTRACED
        self.exposition: Exposition | None = counting.exposition if counting else None
        self.parts: list[AbstractAsyncContextManager[object]] = [*present]
        """To be entered before what is observed."""


def counting_of(settings: Settings, contract: Contract, block: Block) -> Counting | None:
    """What counts, if anything does."""
    if not settings.metrics:
        return None
    statuses = {code: problem["status"] for code, problem in contract.problems.items()}
    return Counting(settings.bot, statuses, contract.version, block)


def _traces(settings: Settings, version: str) -> "Traces | None":
    if not settings.traces:
        return None
    try:
        from app.telemetry.traces import Traces  # noqa: PLC0415 - an extra, and a quarter of a second

        return Traces(settings.bot, version)
    except ModuleNotFoundError:
        raise Misconfigured(
            "CHAT_TRACES: traces need more packages. Next: scripts/setup telemetry, or CHAT_TRACES=off"
        ) from None
    except ValueError as error:  # its text may hold a secret
        raise Misconfigured(
            "CHAT_TRACES: one of the variables OTEL_... has a value that cannot be used. Next: correct it; "
            "CHAT_LOG_LEVEL=debug shows where it was read"
        ) from error
