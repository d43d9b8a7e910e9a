"""What the domain tells whoever watches it: metrics, traces and the log. Who watches may neither wait nor raise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from app.chat.errors import ChatError, ReplyInterrupted
from app.chat.model import Done, End, Usage
from app.chat.stored import ReplyRecord

Outcome = Literal["completed", "cancelled", "abandoned", "failed", "interrupted"]
"""Of a reply: as its state, but with what was stopped because nobody read it apart from what was cancelled."""
OUTCOMES: tuple[Outcome, ...] = ("completed", "cancelled", "abandoned", "failed", "interrupted")

Source = Literal["memory", "storage", "instance"]
"""Where the words of a resumed reply come from: here, the database, or the instance that generates it."""
Attachment = Literal["key", "address"]
"""How a request found a reply that another one had started: its idempotency key, or the address of the reply."""
Canceller = Literal["client", "message", "deletion", "instance", "leaving"]
"""Who stopped a reply: a client's request, another message in its conversation, the deletion of that, a request at
another instance, or the last reader, who has left."""
ReaderKind = Literal["stream", "json"]
UpstreamOutcome = Literal["completed", "failed", "cancelled"]
StorageOperation = Literal["save", "read", "write"]
"""`save` writes messages and replies, those of many conversations in one transaction."""
LogOperation = Literal["append", "recover"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a reply that was generated here has ended."""

    outcome: Outcome
    error: ChatError | None
    words: int
    seconds: float
    """From the request on."""
    first_word_seconds: float | None
    """The same, to the first word that readers could have; `None` if there was none."""


class ReplyObserver(Protocol):
    """Sees the replies that are generated here."""

    def began(self, record: ReplyRecord) -> None:
        """The bot is about to be asked, in this task."""
        ...

    def first_word(self, record: ReplyRecord, seconds: float) -> None:
        """Readers can have the first word, so long after the request."""
        ...

    def ended(self, record: ReplyRecord, ending: Ending) -> None:
        """The end is there; the record has it as well."""
        ...


@dataclass(slots=True, eq=False)
class UpstreamCall:
    """A request to an engine, and what is known of its response."""

    host: str
    port: int | None
    model: str | None
    """The one that is asked for; `None` for the first one that the engine lists."""
    max_tokens: int | None
    temperature: float | None
    first_text_seconds: float | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    error_code: str | None = None


class UpstreamObserver(Protocol):
    """Sees the requests to an engine."""

    def call_began(self, call: UpstreamCall) -> Mapping[str, str]:
        """It is about to be sent, in the task of its reply or one that this has started. Returns headers for it."""
        ...

    def call_ended(self, call: UpstreamCall, outcome: UpstreamOutcome) -> None:
        """Its response is over."""
        ...


class Measures(Protocol):
    """Counts and times, for metrics. Nothing that is counted has a text, an id or a principal in it."""

    def replies(self, running: int, open_: int) -> None:
        """So many are being generated, and so many are being generated or read."""
        ...

    def resumed(self, source: Source) -> None: ...

    def attached(self, by: Attachment) -> None: ...

    def cancelled(self, by: Canceller) -> None: ...

    def reader_came(self, kind: ReaderKind) -> None: ...

    def reader_left(self, kind: ReaderKind) -> None: ...

    def sent(self, gap_seconds: float) -> None:
        """Words went to a reader, so long after the ones before."""
        ...

    def refused(self, code: str) -> None:
        """A request was answered with the problem of this code."""
        ...

    def cut_slow_reader(self) -> None: ...

    def upstream(self, outcome: UpstreamOutcome, seconds: float) -> None:
        """A request to an engine took so long, its response included."""
        ...

    def stored(self, operation: StorageOperation, seconds: float) -> None:
        """A transaction took so long, whether it worked or not."""
        ...

    def logged(self, operation: LogOperation, seconds: float) -> None:
        """An exchange with the server of shared logs took so long."""
        ...

    def log_is_up(self, *, is_up: bool) -> None: ...

    def lease_renewed(self) -> None: ...

    def sealed(self, replies: int) -> None:
        """So many replies that nobody generated any more were marked as interrupted."""
        ...


class Unmeasured:
    """`Measures` for a service without metrics."""

    def replies(self, running: int, open_: int) -> None: ...

    def resumed(self, source: Source) -> None: ...

    def attached(self, by: Attachment) -> None: ...

    def cancelled(self, by: Canceller) -> None: ...

    def reader_came(self, kind: ReaderKind) -> None: ...

    def reader_left(self, kind: ReaderKind) -> None: ...

    def sent(self, gap_seconds: float) -> None: ...

    def refused(self, code: str) -> None: ...

    def cut_slow_reader(self) -> None: ...

    def upstream(self, outcome: UpstreamOutcome, seconds: float) -> None: ...

    def stored(self, operation: StorageOperation, seconds: float) -> None: ...

    def logged(self, operation: LogOperation, seconds: float) -> None: ...

    def log_is_up(self, *, is_up: bool) -> None: ...

    def lease_renewed(self) -> None: ...

    def sealed(self, replies: int) -> None: ...


UNMEASURED: Measures = Unmeasured()


class NoUpstreamObserver:
    """`UpstreamObserver` for a service without traces."""

    def call_began(self, call: UpstreamCall) -> Mapping[str, str]:  # noqa: ARG002 - nobody looks
        """Nothing to add."""
        return {}

    def call_ended(self, call: UpstreamCall, outcome: UpstreamOutcome) -> None: ...


UNTRACED: UpstreamObserver = NoUpstreamObserver()


class ReplyObservers:
    """`ReplyObserver`: several of them."""

    def __init__(self, observers: Sequence[ReplyObserver] = ()) -> None:
        """Each is told everything, in this order."""
        self._observers = tuple(observers)

    def began(self, record: ReplyRecord) -> None:
        """See `ReplyObserver`."""
        for observer in self._observers:
            observer.began(record)

    def first_word(self, record: ReplyRecord, seconds: float) -> None:
        """See `ReplyObserver`."""
        for observer in self._observers:
            observer.first_word(record, seconds)

    def ended(self, record: ReplyRecord, ending: Ending) -> None:
        """See `ReplyObserver`."""
        for observer in self._observers:
            observer.ended(record, ending)


UNOBSERVED = ReplyObservers()


def outcome_of(end: End) -> tuple[Outcome, ChatError | None]:
    """The outcome that an end is, and the error in it."""
    if isinstance(end, Done):
        match end.finish_reason:
            case "cancelled" | "abandoned" as stopped:
                return stopped, None
            case _:
                return "completed", None
    return ("interrupted" if isinstance(end.error, ReplyInterrupted) else "failed"), end.error
