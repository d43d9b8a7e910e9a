"""What the clients saw, in bounded memory: counts, and times as histograms, in total and since the last look."""

import math
from collections import Counter
from dataclasses import dataclass, field

STEP = 1.02
"""Between two buckets of a histogram: a percentile is exact to two per cent."""
LEAST_SECONDS = 1e-4
_SHOWN = 5


@dataclass(slots=True)
class Histogram:
    """Times in seconds."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        self.counts[round(math.log(max(seconds, LEAST_SECONDS) / LEAST_SECONDS, STEP))] += 1

    def percentile_ms(self, share: float) -> float:
        """In milliseconds; 0 if there is no time, or less than a tenth of a millisecond."""
        rest = share * self.counts.total()
        for bucket in sorted(self.counts):
            rest -= self.counts[bucket]
            if rest <= 0:
                return LEAST_SECONDS * STEP**bucket * 1e3 if bucket else 0.0
        return 0.0


@dataclass(slots=True)
class Seen:
    """What was seen in some time."""

    words: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    """Clients by what they did and how it ended, such as `read completed`."""
    repaired: Counter[str] = field(default_factory=Counter)
    """What a client got over by asking again, as the documentation says: `cut`, `clean end`, `503` ..."""
    errors: Counter[str] = field(default_factory=Counter)
    """What it could not get over, or what must never be: a word lost or doubled, a text that is another's."""
    first: Histogram = field(default_factory=Histogram)
    """From the request to the first word."""
    late: Histogram = field(default_factory=Histogram)
    """How much later than the pace a word came."""


@dataclass(slots=True)
class Tally:
    """All of it, and the part since the last look."""

    total: Seen = field(default_factory=Seen)
    lately: Seen = field(default_factory=Seen)
    open_streams: int = 0
    examples: list[str] = field(default_factory=list)
    """The first errors, with what came."""

    def word(self, late: float | None) -> None:
        for seen in (self.total, self.lately):
            seen.words += 1
            if late is not None:
                seen.late.add(late)

    def first(self, seconds: float) -> None:
        for seen in (self.total, self.lately):
            seen.first.add(seconds)

    def ended(self, how: str) -> None:
        for seen in (self.total, self.lately):
            seen.ended[how] += 1

    def repaired(self, what: str) -> None:
        for seen in (self.total, self.lately):
            seen.repaired[what] += 1

    def error(self, what: str, example: str) -> None:
        for seen in (self.total, self.lately):
            seen.errors[what] += 1
        if len(self.examples) < _SHOWN:
            self.examples.append(f"{what}: {example[:300]}")

    def look(self) -> Seen:
        """What was seen since the last look."""
        seen, self.lately = self.lately, Seen()
        return seen
