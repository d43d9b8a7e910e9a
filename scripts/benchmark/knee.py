"""How many streams one core carries, and how a server does with far more streams than people can follow.

The knee is the largest crowd in which 99 of 100 words come within 100 ms of the one before, where 50 ms are due: twice
as late as they should be, and the first that a person would call jerky. It is looked for by doubling, then by halving
what is between the last crowd that was served well and the first that was not.
"""

import asyncio
from itertools import pairwise
from time import perf_counter

from .load import Crowd, closed_loop
from .measuring import CONNECTIONS, RATIOS, Effort, Metric, Result, Scenario, heard, paced, percentile, words_of
from .scenarios import PACE_MS, SLOW_PACE_MS
from .servers import Running
from .transcript import WrongAnswer

GAP_MS = 100.0
FIRST_CROWD, LARGEST_CROWD = 500, 8000
PRECISION = 0.08
MANY = 5000
RAMP_SECONDS = 4.0
BEGIN_SECONDS = 30.0
HEALTH_EVERY_SECONDS = 0.02
CROWD_SECONDS = 3.0
OPENED_A_SECOND = 1250


async def measure_knee(server: Running, effort: Effort) -> Result:
    request = server.request(paced(1, words_of(8)))
    await closed_loop(server.port, request, connections=CONNECTIONS, seconds=effort.warm_seconds)
    carried, failed = 0, FIRST_CROWD
    while carried < failed <= LARGEST_CROWD and await is_served(server, failed):
        carried, failed = failed, 2 * failed
    while failed - carried > PRECISION * failed:
        middle = (carried + failed) // 2
        if await is_served(server, middle):
            carried = middle
        else:
            failed = middle
    return Result({"streams_a_core": float(carried)})


async def is_served(server: Running, streams: int) -> bool:
    """Whether a crowd of this size gets all its words, and in time."""
    ramp_seconds = max(1.0, streams / OPENED_A_SECOND)
    words = words_of(round((CROWD_SECONDS + ramp_seconds) * 1000 / PACE_MS))
    crowd = Crowd(server.port, server.request(paced(PACE_MS, words)), streams=streams, ramp_seconds=ramp_seconds)
    began = perf_counter()
    try:
        await crowd.open()
        await crowd.wait(CROWD_SECONDS + ramp_seconds + 2.0)
    finally:
        exchanges = crowd.close()
    if any(not exchange.ended for exchange in exchanges):
        return False
    steady = began + ramp_seconds
    gaps: list[float] = []
    for exchange in exchanges:
        moments = heard(server, exchange, words)
        gaps += [after - moment for moment, after in pairwise(moments) if moment > steady]
    return percentile(gaps, 0.99) * 1000 <= GAP_MS


async def measure_many(server: Running, effort: Effort) -> Result:
    """Far more streams than the knee, each with a word a second: none is refused, and others are still answered."""
    warming = server.request(" ".join(words_of(8)))
    await closed_loop(server.port, warming, connections=CONNECTIONS, seconds=effort.warm_seconds)
    before = server.memory_bytes()
    words = words_of(round(effort.crowd_seconds) + round(RAMP_SECONDS) + 1)
    request = server.request(paced(SLOW_PACE_MS, words))
    crowd = Crowd(server.port, request, streams=MANY, ramp_seconds=RAMP_SECONDS)
    try:
        await crowd.open()
        await crowd.began(BEGIN_SECONDS)
        if crowd.silent:
            raise WrongAnswer(f"{crowd.silent} of {MANY} streams had no word within {BEGIN_SECONDS:.0f} s")
        after = server.memory_bytes()
        answers = await answer_times(server.port, effort.crowd_seconds)
        await crowd.wait(BEGIN_SECONDS)
    finally:
        exchanges = crowd.close()
    for exchange in exchanges:
        heard(server, exchange, words)
    kib = (after - before) / MANY / 1024
    return Result({"answer_p99_ms": percentile(answers, 0.99) * 1000, "kib_a_stream": kib})


async def answer_times(port: int, seconds: float) -> list[float]:
    """How long a small request takes that does not depend on the streams, again and again on one connection.

    Servers without such an operation answer it with 404, which costs them as little.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times: list[float] = []
    stop_at = perf_counter() + seconds
    try:
        while (begin := perf_counter()) < stop_at:
            writer.write(f"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(length(head))
            times.append(perf_counter() - begin)
            await asyncio.sleep(HEALTH_EVERY_SECONDS)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise WrongAnswer("the connection for small requests was closed") from error
    finally:
        writer.close()
    return times


def length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


KNEE_SCENARIOS = (
    Scenario(
        "knee",
        f"Streams at {1000 // PACE_MS} words per second that one core carries with a p99 gap of {GAP_MS:.0f} ms",
        (Metric("streams_a_core", "streams", "", 0, RATIOS),),
        measure_knee,
    ),
    Scenario(
        "many",
        f"{MANY:,} streams at one word per second, and small requests between them",
        (
            Metric("answer_p99_ms", "small request p99", "ms", 1, RATIOS),
            Metric("kib_a_stream", "memory per stream", "KiB", 1, RATIOS),
        ),
        measure_many,
    ),
)
