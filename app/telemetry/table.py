"""The metrics that there are: names, units, buckets and labels.

The values of all labels are known when the service starts, so a metric has as many series as are listed here and never
more, however long it runs and whatever it is asked. Nothing of a message, and no id or principal, can become one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from app.chat.errors import (
    BotBroken,
    BotBusy,
    BotFailed,
    BotMisconfigured,
    BotRateLimited,
    BotSaidNothing,
    BotTimeout,
    BotUnavailable,
    Draining,
    MessageRefused,
    ReplyInterrupted,
    StorageUnavailable,
)
from app.chat.watching import (
    OUTCOMES,
    Attachment,
    Canceller,
    LogOperation,
    ReaderKind,
    Source,
    StorageOperation,
    UpstreamOutcome,
)

Kind = Literal["counter", "gauge", "oldest", "all up", "histogram"]
"""How the values of several processes become one. They are added up, but for two kinds, which have no value where
there is none: `oldest` holds a moment, and the longest time since then counts; `all up` is 1 if nobody says otherwise.
"""

EXEMPLAR = 4
"""Places of an exemplar: two for its trace's id, its value, and its time in seconds since 1970; 0 is none."""

FAILURES: tuple[str, ...] = tuple(
    error.code
    for error in (
        BotBroken,
        BotBusy,
        BotFailed,
        BotMisconfigured,
        BotRateLimited,
        BotSaidNothing,
        BotTimeout,
        BotUnavailable,
        Draining,
        MessageRefused,
        ReplyInterrupted,
        StorageUnavailable,
    )
)
"""Codes of what ends a reply. An error that is none of them counts as the first one, a defect."""

_FIRST_WORD = (0.005, *(0.01 * 2**power for power in range(14)))
_DURATION = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_WORDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0)
_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_GAP = (*_SHORT, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric. Each of its series has a place in memory, or several if it is a histogram."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    series: tuple[tuple[str, ...], ...] = ((),)
    """The values of the labels, for each series."""
    bounds: tuple[float, ...] = ()
    """Of a histogram: the upper bounds of its buckets but the last, which has none."""
    has_exemplars: bool = False

    @property
    def width(self) -> int:
        """Places for a series: of a histogram, the sum and the buckets, and then the exemplars of the buckets."""
        if self.kind != "histogram":
            return 1
        return 1 + (1 + EXEMPLAR if self.has_exemplars else 1) * (len(self.bounds) + 1)

    @property
    def size(self) -> int:
        """Places for all series."""
        return self.width * len(self.series)


def families(bot: str, statuses: Mapping[str, int]) -> Sequence[Family]:
    """All metrics of a service with this bot, whose problems have these statuses, by code."""
    outcomes = _each(OUTCOMES)
    refusals = tuple((str(status), code) for code, status in sorted(statuses.items()))
    return (
        Family(
            "chat_replies",
            "counter",
            "Replies that were generated here and have ended.",
            ("bot", "outcome"),
            tuple(product((bot,), OUTCOMES)),
        ),
        Family(
            "chat_reply_failures",
            "counter",
            "Replies that failed or were interrupted, by the type of the problem.",
            ("type",),
            _each(FAILURES),
        ),
        Family(
            "chat_time_to_first_word_seconds",
            "histogram",
            "Time from the request to the first word that readers can have.",
            ("bot",),
            ((bot,),),
            _FIRST_WORD,
            has_exemplars=True,
        ),
        Family(
            "chat_word_gap_seconds",
            "histogram",
            "Time between two sends of words to the same reader, one observation a send after the first.",
            bounds=_GAP,
        ),
        Family(
            "chat_reply_duration_seconds",
            "histogram",
            "Time from the request to the end of the reply.",
            ("outcome",),
            outcomes,
            _DURATION,
        ),
        Family("chat_reply_words", "histogram", "Words of the replies that have ended.", bounds=_WORDS),
        Family("chat_replies_running", "gauge", "Replies that are being generated."),
        Family(
            "chat_streams_open",
            "gauge",
            "Replies that are being generated or read, which CHAT_MAX_OPEN_STREAMS limits in each process.",
        ),
        Family(
            "chat_readers_open", "gauge", "Responses that wait for a reply.", ("kind",), _each(get_args(ReaderKind))
        ),
        Family(
            "chat_resumes",
            "counter",
            "Requests with a Last-Event-ID that went on with a reply, by where its words come from.",
            ("from",),
            _each(get_args(Source)),
        ),
        Family(
            "chat_attaches",
            "counter",
            "Requests without a Last-Event-ID that got an earlier reply, by how they found it.",
            ("by",),
            _each(get_args(Attachment)),
        ),
        Family(
            "chat_cancels",
            "counter",
            "Running replies that were stopped, by who stopped them.",
            ("by",),
            _each(get_args(Canceller)),
        ),
        Family(
            "chat_refusals",
            "counter",
            "Requests that were answered with a problem.",
            ("status", "type"),
            refusals,
        ),
        Family(
            "chat_slow_readers_cut",
            "counter",
            "Connections that were closed because the client accepted no byte for CHAT_STALLED_SECONDS.",
        ),
        Family(
            "chat_upstream_seconds",
            "histogram",
            "Time of a request to the engine, with its whole response.",
            ("outcome",),
            _each(get_args(UpstreamOutcome)),
            _DURATION,
        ),
        Family(
            "chat_storage_seconds",
            "histogram",
            "Time of a transaction in the database.",
            ("operation",),
            _each(get_args(StorageOperation)),
            _SHORT,
        ),
        Family(
            "chat_log_seconds",
            "histogram",
            "Time of an exchange with the server of CHAT_VALKEY_URL.",
            ("operation",),
            _each(get_args(LogOperation)),
            _SHORT,
        ),
        Family("chat_log_up", "all up", "Whether the server of CHAT_VALKEY_URL can be used."),
        Family("chat_lease_age_seconds", "oldest", "Time since this instance's last sign of life in PostgreSQL."),
        Family(
            "chat_orphans_sealed",
            "counter",
            "Replies of dead instances that were ended here as interrupted.",
        ),
        Family(
            "chat_event_loop_lag_seconds",
            "histogram",
            "How much later than asked the event loop ran a timer, a few times a second.",
            bounds=_SHORT,
        ),
    )


def _each(values: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((value,) for value in values)
