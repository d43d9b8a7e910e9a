"""The parts of every scenario: figures, durations, and the two ways to load a server and check its responses."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import truediv
from time import perf_counter, process_time

from .load import Crowd, Exchange, closed_loop
from .servers import Running
from .transcript import WrongAnswer

CONNECTIONS = 16
GRACE_SECONDS = 2.0
BEFORE_ANY_ENDS = 0.95
"""This share of a stream's length after the first one has begun."""
BUSY = 0.8


@dataclass(frozen=True, slots=True)
class Beside:
    """A column that compares a figure with that of the server `to` in the same round: as a ratio or a difference."""

    title: str
    to: str
    how: Callable[[float, float], float] = truediv


RATIOS = (Beside("xbare", "bare"), Beside("xNode", "node"), Beside("xbefore", "before"))


@dataclass(frozen=True, slots=True)
class Metric:
    key: str
    title: str
    unit: str
    digits: int
    beside: Sequence[Beside] = RATIOS


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: for stable figures, or quickly."""

    warm_seconds: float
    loop_seconds: float
    ramp_seconds: float
    crowd_seconds: float
    settle_seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    figures: dict[str, float]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    title: str
    metrics: Sequence[Metric]
    measure: Callable[[Running, Effort], Awaitable[Result]]


FIRST = (Metric("first_p50_ms", "first event p50", "ms", 1), Metric("first_p99_ms", "first event p99", "ms", 1))
GAPS = (Metric("gap_p50_ms", "gap p50", "ms", 1), Metric("gap_p99_ms", "gap p99", "ms", 1))


def words_of(count: int) -> list[str]:
    """Words with typical English lengths."""
    lengths = (3, 5, 2, 7, 4, 1, 6, 9)
    return [("abcdefghi"[: lengths[n % len(lengths)]]) for n in range(count)]


def paced(pace_ms: int, words: list[str]) -> str:
    return f"/simulate pace_ms={pace_ms}\n{' '.join(words)}"


def percentile(values: list[float], share: float) -> float:
    if not values:
        raise WrongAnswer("no event arrived")
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@dataclass(frozen=True, slots=True)
class Answers:
    """Exchanges whose responses were checked, and what they cost."""

    spent_seconds: float
    """CPU time of the server."""
    exchanges: list[Exchange]
    heard: list[list[float]]
    """For each exchange, when its words were complete."""
    running_us: float | None = None
    """Of paced streams, the CPU time of an event while all of them were open: none began or ended."""

    def words(self) -> int:
        return sum(map(len, self.heard))

    def events(self) -> int:
        return sum(exchange.events() for exchange in self.exchanges)

    def cpu_us(self, count: int) -> float:
        """CPU time per item, for this many items."""
        if not count:
            raise WrongAnswer("no event arrived")
        return self.spent_seconds / count * 1e6

    def first(self) -> dict[str, float]:
        pairs = zip(self.exchanges, self.heard, strict=True)
        first = [moments[0] - exchange.sent_at for exchange, moments in pairs if moments]
        return {"first_p50_ms": percentile(first, 0.5) * 1e3, "first_p99_ms": percentile(first, 0.99) * 1e3}

    def gaps(self) -> dict[str, float]:
        """The times between words; zero for words from one read, and without the end."""
        gaps = [after - before for moments in self.heard for before, after in pairwise(moments)]
        return {"gap_p50_ms": percentile(gaps, 0.5) * 1e3, "gap_p99_ms": percentile(gaps, 0.99) * 1e3}


def heard(server: Running, exchange: Exchange, words: list[str], *, whole: bool = True) -> list[float]:
    """When each word was complete. Raises `WrongAnswer`."""
    moments = exchange.moments()
    return [moments[number] for number in server.dialect.check(bytes(exchange.raw), words, whole=whole)]


async def measure_loop(
    server: Running, effort: Effort, message: str, words: list[str], connections: int = CONNECTIONS
) -> Answers:
    """The server's cost for as many replies as so many readers can read."""
    request = server.request(message)
    warm = await closed_loop(server.port, request, connections=connections, seconds=effort.warm_seconds)
    for exchange in warm:
        heard(server, exchange, words)
    before = server.cpu_seconds()
    exchanges = await closed_loop(server.port, request, connections=connections, seconds=effort.loop_seconds)
    spent = server.cpu_seconds() - before
    return Answers(spent, exchanges, [heard(server, exchange, words) for exchange in exchanges])


async def measure_crowd(server: Running, effort: Effort, *, streams: int, pace_ms: int) -> tuple[Answers, str]:
    """The server's cost for many paced streams, and a note on what makes the figures doubtful."""
    warming = server.request(paced(1, words_of(8)))
    await closed_loop(server.port, warming, connections=CONNECTIONS, seconds=effort.warm_seconds)
    words = words_of(round(effort.crowd_seconds * 1000 / pace_ms))
    request = server.request(paced(pace_ms, words))
    crowd = Crowd(server.port, request, streams=streams, ramp_seconds=effort.ramp_seconds)
    began, own = perf_counter(), process_time() + server.load_core_seconds()
    before = server.cpu_seconds()
    try:
        await crowd.open()
        all_due = perf_counter() + effort.crowd_seconds
        running_us = await cost_of_running(crowd, server, began + effort.crowd_seconds * BEFORE_ANY_ENDS)
        await crowd.wait(all_due + GRACE_SECONDS - perf_counter())
        spent = server.cpu_seconds() - before
        busy = (process_time() + server.load_core_seconds() - own) / (perf_counter() - began)
    finally:
        exchanges = crowd.close()
    moments = [heard(server, exchange, words, whole=exchange.ended) for exchange in exchanges]
    answers = Answers(spent, exchanges, moments, running_us)
    notes: list[str] = []
    if answers.words() < streams * len(words):
        share = answers.words() / (streams * len(words))
        notes.append(f"cannot keep up: {share:.0%} of the words arrived within {GRACE_SECONDS:.0f} s of being due")
    if busy > BUSY:
        notes.append(f"the load generator's core was {busy:.0%} busy: it may have caused the gaps")
    return answers, "; ".join(notes)


async def cost_of_running(crowd: Crowd, server: Running, until: float) -> float | None:
    """The CPU time of an event from when all streams have begun; `None` if they have not by then."""
    await crowd.began(until - perf_counter())
    before, events = server.cpu_seconds(), crowd.events()
    await asyncio.sleep(until - perf_counter())
    heard_meanwhile = crowd.events() - events
    if crowd.silent or not heard_meanwhile:
        return None
    return (server.cpu_seconds() - before) / heard_meanwhile * 1e6
