"""Counts what happens: `app.chat.watching.Measures` and `ReplyObserver`, into `Cells`.

A word costs one observation, so an observation is two additions. What the client library has for that takes a lock and
several times as long; it only writes the text, in `app.telemetry.exposition`.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable

from app.chat.stored import ReplyRecord
from app.chat.watching import (
    OUTCOMES,
    Attachment,
    Canceller,
    Ending,
    LogOperation,
    ReaderKind,
    Source,
    StorageOperation,
    UpstreamOutcome,
)
from app.telemetry.cells import Cells
from app.telemetry.table import EXEMPLAR, FAILURES

UP, DOWN = 2.0, 1.0
"""0 means that there is nothing to be up."""

_LAG_SECONDS = 0.25

Observe = Callable[[float], None]


class Metrics:
    """What this process counts."""

    def __init__(self, cells: Cells, bot: str) -> None:
        """Into the own block of `cells`."""
        self._cells = cells
        self._own = cells.own
        place = cells.place
        self._replies = {outcome: place("chat_replies", (bot, outcome)) for outcome in OUTCOMES}
        self._failures = {code: place("chat_reply_failures", (code,)) for code in FAILURES}
        self._running = place("chat_replies_running")
        self._open = place("chat_streams_open")
        self._readers = self._by_value("chat_readers_open")
        self._resumes = self._by_value("chat_resumes")
        self._attaches = self._by_value("chat_attaches")
        self._cancels = self._by_value("chat_cancels")
        refusals = next(family for family in cells.families if family.name == "chat_refusals")
        self._refusals = {code: place("chat_refusals", (status, code)) for status, code in refusals.series}
        self._cut = place("chat_slow_readers_cut")
        self._log_up = place("chat_log_up")
        self._lease = place("chat_lease_age_seconds")
        self._sealed = place("chat_orphans_sealed")
        self._first_word = self._histogram("chat_time_to_first_word_seconds", (bot,))
        self._first_word_exemplars = self._cells.exemplars("chat_time_to_first_word_seconds", (bot,))
        self._duration = {each: self._histogram("chat_reply_duration_seconds", (each,)) for each in OUTCOMES}
        self._words = self._histogram("chat_reply_words")
        self._upstream = self._histograms("chat_upstream_seconds")
        self._storage = self._histograms("chat_storage_seconds")
        self._log = self._histograms("chat_log_seconds")
        self._lag = self._histogram("chat_event_loop_lag_seconds")
        self.sent: Observe = self._histogram("chat_word_gap_seconds")
        """See `Measures`."""

    def began(self, record: ReplyRecord) -> None:
        """Nothing to count: `replies` has it."""

    def first_word(self, record: ReplyRecord, seconds: float) -> None:
        """See `ReplyObserver`. The last one of each bucket that is traced is an exemplar of it."""
        self._first_word(seconds)
        if record.trace_id is not None:
            self._keep_exemplar(record.trace_id, seconds)

    def ended(self, record: ReplyRecord, ending: Ending) -> None:  # noqa: ARG002 - a `ReplyObserver`'s
        """See `ReplyObserver`."""
        self._own[self._replies[ending.outcome]] += 1
        if ending.error is not None:
            self._own[self._failures.get(ending.error.code, self._failures[FAILURES[0]])] += 1
        self._duration[ending.outcome](ending.seconds)
        self._words(ending.words)

    def replies(self, running: int, open_: int) -> None:
        """See `Measures`, as all below."""
        self._own[self._running] = running
        self._own[self._open] = open_

    def resumed(self, source: Source) -> None:
        self._own[self._resumes[source]] += 1

    def attached(self, by: Attachment) -> None:
        self._own[self._attaches[by]] += 1

    def cancelled(self, by: Canceller) -> None:
        self._own[self._cancels[by]] += 1

    def reader_came(self, kind: ReaderKind) -> None:
        self._own[self._readers[kind]] += 1

    def reader_left(self, kind: ReaderKind) -> None:
        self._own[self._readers[kind]] -= 1

    def refused(self, code: str) -> None:
        self._own[self._refusals[code]] += 1

    def cut_slow_reader(self) -> None:
        self._own[self._cut] += 1

    def upstream(self, outcome: UpstreamOutcome, seconds: float) -> None:
        self._upstream[outcome](seconds)

    def stored(self, operation: StorageOperation, seconds: float) -> None:
        self._storage[operation](seconds)

    def logged(self, operation: LogOperation, seconds: float) -> None:
        self._log[operation](seconds)

    def log_is_up(self, *, is_up: bool) -> None:
        self._own[self._log_up] = UP if is_up else DOWN

    def lease_renewed(self) -> None:
        self._own[self._lease] = time.monotonic()

    def sealed(self, replies: int) -> None:
        self._own[self._sealed] += replies

    def _keep_exemplar(self, trace_id: str, seconds: float) -> None:
        bounds, first = self._first_word_exemplars
        at = first + EXEMPLAR * bisect_left(bounds, seconds)
        words = self._cells.own_words
        words[at], words[at + 1] = int(trace_id[:16], 16), int(trace_id[16:], 16)
        self._own[at + 2], self._own[at + 3] = seconds, time.time()

    async def keep_measuring_lag(self) -> None:
        """Never returns."""
        while True:
            due = time.monotonic() + _LAG_SECONDS
            await asyncio.sleep(_LAG_SECONDS)
            self._lag(max(0.0, time.monotonic() - due))

    def _by_value(self, name: str) -> dict[str, int]:
        """The places of the series of a metric with one label."""
        family = next(family for family in self._cells.families if family.name == name)
        return {value: self._cells.place(name, (value,)) for (value,) in family.series}

    def _histograms(self, name: str) -> dict[str, Observe]:
        return {value: self._histogram(name, (value,)) for value in self._by_value(name)}

    def _histogram(self, name: str, values: tuple[str, ...] = ()) -> Observe:
        """A function that observes a value."""
        bounds = next(family for family in self._cells.families if family.name == name).bounds
        numbers, sum_at = self._own, self._cells.place(name, values)
        first = sum_at + 1

        def observe(value: float) -> None:
            numbers[first + bisect_left(bounds, value)] += 1
            numbers[sum_at] += value

        return observe
