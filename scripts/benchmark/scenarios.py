"""The four scenarios for the comparison with peers, each with a fresh, warmed-up server."""

import asyncio
from statistics import fmean

from .load import Crowd, closed_loop
from .measuring import (
    CONNECTIONS,
    FIRST,
    GAPS,
    Effort,
    Metric,
    Result,
    Scenario,
    heard,
    measure_crowd,
    measure_loop,
    paced,
    words_of,
)
from .servers import Running
from .transcript import WrongAnswer

STREAMS = 1000
FILLING = 250
PACE_MS = 50
SLOW_PACE_MS = 1000
BEGIN_SECONDS = 10.0


async def measure_reply(server: Running, effort: Effort) -> Result:
    words = words_of(8)
    answers = await measure_loop(server, effort, " ".join(words), words)
    return Result({"cpu_us_a_reply": answers.cpu_us(len(answers.exchanges)), **answers.first()})


async def measure_burst(server: Running, effort: Effort) -> Result:
    words = words_of(200)
    answers = await measure_loop(server, effort, " ".join(words), words)
    return Result({"cpu_us_an_event": answers.cpu_us(answers.events()), **answers.first()})


async def measure_streams(server: Running, effort: Effort) -> Result:
    answers, note = await measure_crowd(server, effort, streams=STREAMS, pace_ms=PACE_MS)
    running = {} if answers.running_us is None else {"running_us_an_event": answers.running_us}
    cpu = answers.cpu_us(answers.events())
    return Result({"cpu_us_an_event": cpu, **running, **answers.first(), **answers.gaps()}, note)


async def measure_memory(server: Running, effort: Effort) -> Result:
    """The memory that a thousand streams add to those that are already open.

    The first ones fill the gaps that start-up has left in the heap, which differ between servers.
    """
    warming = server.request(" ".join(words_of(8)))
    await closed_loop(server.port, warming, connections=CONNECTIONS, seconds=effort.warm_seconds)
    words = words_of(100)
    request = server.request(paced(SLOW_PACE_MS, words))
    share = FILLING / STREAMS
    filling = Crowd(server.port, request, streams=FILLING, ramp_seconds=effort.ramp_seconds * share)
    crowd = Crowd(server.port, request, streams=STREAMS, ramp_seconds=effort.ramp_seconds)
    try:
        before = await memory_with(filling, server, effort)
        after = await memory_with(crowd, server, effort)
    finally:
        exchanges = filling.close() + crowd.close()
    for exchange in exchanges:
        heard(server, exchange, words, whole=False)
        if exchange.ended or not exchange.reads:
            raise WrongAnswer("a stream was closed or had no word yet while memory was measured")
    return Result({"kib_a_stream": (after - before) / STREAMS / 1024})


async def memory_with(crowd: Crowd, server: Running, effort: Effort) -> float:
    """Bytes, when the streams are open and each has had a word: the mean of a few samples."""
    await crowd.open()
    await crowd.began(BEGIN_SECONDS)
    seen: list[int] = []
    for _ in range(3):
        await asyncio.sleep(effort.settle_seconds / 3)
        seen.append(server.memory_bytes())
    return fmean(seen)


CPU_EVENT = Metric("cpu_us_an_event", "CPU per event", "µs", 2)

SCENARIOS = (
    Scenario(
        "reply",
        f"A reply of 8 words, repeated on {CONNECTIONS} connections",
        (Metric("cpu_us_a_reply", "CPU per reply", "µs", 1), *FIRST),
        measure_reply,
    ),
    Scenario("burst", f"200 words at once, on {CONNECTIONS} connections", (CPU_EVENT, *FIRST), measure_burst),
    Scenario(
        "streams",
        f"{STREAMS:,} streams at {1000 // PACE_MS} words per second",
        (CPU_EVENT, Metric("running_us_an_event", "the same, all open", "µs", 2), *FIRST, *GAPS),
        measure_streams,
    ),
    Scenario(
        "memory",
        f"Memory of an open stream, from {STREAMS:,} of them at one word per second",
        (Metric("kib_a_stream", "memory per stream", "KiB", 1),),
        measure_memory,
    ),
)
