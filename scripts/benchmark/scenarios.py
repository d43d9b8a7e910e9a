"""The four things measured, each against a fresh and warmed server, and what each yields."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from time import perf_counter, process_time

from .load import Crowd, Exchange, closed_loop
from .servers import Running
from .transcript import WrongAnswer, check

CONNECTIONS = 16
STREAMS = 1000
FILLING = 250
PACE_MS = 50
SLOW_PACE_MS = 1000
GRACE_SECONDS = 2.0
BUSY = 0.8
BEGIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Metric:
    key: str
    title: str
    unit: str
    digits: int


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: enough for a steady figure, or a quick look."""

    warm_seconds: float
    loop_seconds: float
    ramp_seconds: float
    crowd_words: int
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


def words_of(count: int) -> list[str]:
    """Plain words of the lengths that English has."""
    lengths = (3, 5, 2, 7, 4, 1, 6, 9)
    return [("abcdefghi"[: lengths[n % len(lengths)]]) for n in range(count)]


def paced(pace_ms: int, words: list[str]) -> str:
    return f"/simulate pace_ms={pace_ms}\n{' '.join(words)}"


def percentile(values: list[float], share: float) -> float:
    if not values:
        raise WrongAnswer("no event came")
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure_loop(server: Running, effort: Effort, words: list[str]) -> tuple[float, list[Exchange]]:
    """CPU seconds of the server and the replies it gave meanwhile, as fast as sixteen readers take them."""
    message = " ".join(words)
    warm = await closed_loop(server.port, message, connections=CONNECTIONS, seconds=effort.warm_seconds)
    for exchange in warm:
        check(exchange.raw, words)
    before = server.cpu_seconds()
    exchanges = await closed_loop(server.port, message, connections=CONNECTIONS, seconds=effort.loop_seconds)
    spent = server.cpu_seconds() - before
    for exchange in exchanges:
        check(exchange.raw, words)
    return spent, exchanges


async def measure_reply(server: Running, effort: Effort) -> Result:
    spent, exchanges = await measure_loop(server, effort, words_of(8))
    first = [exchange.first_event_seconds() for exchange in exchanges]
    return Result(
        {
            "cpu_us_a_reply": spent / len(exchanges) * 1e6,
            "first_p50_ms": percentile(first, 0.5) * 1e3,
            "first_p99_ms": percentile(first, 0.99) * 1e3,
        }
    )


async def measure_burst(server: Running, effort: Effort) -> Result:
    spent, exchanges = await measure_loop(server, effort, words_of(200))
    first = [exchange.first_event_seconds() for exchange in exchanges]
    return Result(
        {
            "cpu_us_an_event": spent / sum(exchange.events() for exchange in exchanges) * 1e6,
            "first_p50_ms": percentile(first, 0.5) * 1e3,
            "first_p99_ms": percentile(first, 0.99) * 1e3,
        }
    )


async def measure_streams(server: Running, effort: Effort) -> Result:
    words = words_of(effort.crowd_words)
    await closed_loop(server.port, paced(1, words_of(8)), connections=CONNECTIONS, seconds=effort.warm_seconds)
    crowd = Crowd(server.port, paced(PACE_MS, words), streams=STREAMS, ramp_seconds=effort.ramp_seconds)
    due_seconds = len(words) * PACE_MS / 1e3
    began, own = perf_counter(), process_time()
    before = server.cpu_seconds()
    try:
        await crowd.open()
        await crowd.wait(due_seconds + GRACE_SECONDS)
        spent = server.cpu_seconds() - before
        busy = (process_time() - own) / (perf_counter() - began)
    finally:
        exchanges = crowd.close()
    for exchange in exchanges:
        check(exchange.raw, words, whole=exchange.ended)
    sent = sum(exchange.events() for exchange in exchanges)
    due = len(exchanges) * (len(words) + 1)
    first = [exchange.first_event_seconds() for exchange in exchanges if exchange.reads]
    gaps = [gap for exchange in exchanges for gap in exchange.gaps_seconds(len(words))]
    figures = {
        "cpu_us_an_event": spent / sent * 1e6,
        "first_p50_ms": percentile(first, 0.5) * 1e3,
        "first_p99_ms": percentile(first, 0.99) * 1e3,
        "gap_p50_ms": percentile(gaps, 0.5) * 1e3,
        "gap_p99_ms": percentile(gaps, 0.99) * 1e3,
    }
    notes: list[str] = []
    if sent < due:
        notes.append(f"cannot keep up: {sent / due:.0%} of the events came within {GRACE_SECONDS:.0f} s of being due")
    if busy > BUSY:
        notes.append(f"the load generator was {busy:.0%} busy: the gaps may be its own")
    return Result(figures, "; ".join(notes))


async def measure_memory(server: Running, effort: Effort) -> Result:
    """What a thousand streams add to those that are open already.

    The first ones fill the holes that starting has left in the heap, which differ from server to server.
    """
    await closed_loop(server.port, " ".join(words_of(8)), connections=CONNECTIONS, seconds=effort.warm_seconds)
    words = words_of(100)
    message = paced(SLOW_PACE_MS, words)
    share = FILLING / STREAMS
    filling = Crowd(server.port, message, streams=FILLING, ramp_seconds=effort.ramp_seconds * share)
    crowd = Crowd(server.port, message, streams=STREAMS, ramp_seconds=effort.ramp_seconds)
    try:
        before = await memory_with(filling, server, effort)
        after = await memory_with(crowd, server, effort)
    finally:
        exchanges = filling.close() + crowd.close()
    for exchange in exchanges:
        check(exchange.raw, words, whole=False)
        if exchange.ended or not exchange.reads:
            raise WrongAnswer("a stream was not open, or had no word yet, while memory was measured")
    return Result({"kib_a_stream": (after - before) / STREAMS / 1024})


async def memory_with(crowd: Crowd, server: Running, effort: Effort) -> float:
    """Bytes, once the streams are open and each has brought a word: the mean of a few looks."""
    await crowd.open()
    await crowd.began(BEGIN_SECONDS)
    seen: list[int] = []
    for _ in range(3):
        await asyncio.sleep(effort.settle_seconds / 3)
        seen.append(server.memory_bytes())
    return fmean(seen)


CPU_EVENT = Metric("cpu_us_an_event", "CPU an event", "µs", 2)
FIRST = (Metric("first_p50_ms", "first event p50", "ms", 1), Metric("first_p99_ms", "first event p99", "ms", 1))
GAPS = (Metric("gap_p50_ms", "gap p50", "ms", 1), Metric("gap_p99_ms", "gap p99", "ms", 1))

SCENARIOS = (
    Scenario(
        "reply",
        f"A reply of 8 words, again and again on {CONNECTIONS} connections",
        (Metric("cpu_us_a_reply", "CPU a reply", "µs", 1), *FIRST),
        measure_reply,
    ),
    Scenario("burst", f"200 words at once, on {CONNECTIONS} connections", (CPU_EVENT, *FIRST), measure_burst),
    Scenario(
        "streams",
        f"{STREAMS:,} streams at {1000 // PACE_MS} words a second",
        (CPU_EVENT, *FIRST, *GAPS),
        measure_streams,
    ),
    Scenario(
        "memory",
        f"Memory of an open stream, from {STREAMS:,} of them at a word a second",
        (Metric("kib_a_stream", "memory a stream", "KiB", 1),),
        measure_memory,
    ),
)
