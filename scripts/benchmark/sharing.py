"""Two instances on PostgreSQL, without and with a Valkey server: what sharing words costs, and how late they are.

The cost is that of the instance which generates the replies; the servers behind it are not in it.
"""

import asyncio
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from operator import sub
from time import perf_counter

import psutil

from .load import Connection, connect
from .measuring import (
    Answers,
    Beside,
    Effort,
    Metric,
    Result,
    Scenario,
    heard,
    measure_crowd,
    paced,
    percentile,
    words_of,
)
from .servers import Launch, Running, Server, cores, listening
from .transcript import WrongAnswer

ALONE, SHARED = "database-alone", "with-valkey"
INSTANCES = 2
STREAMS, FOLLOWED, CALM = 500, 200, 100
PACE_MS = 50
START_SECONDS = 30.0
LAG_SECONDS = 6.0
"""Without Valkey, words come every two seconds."""

_REPLY_ID = re.compile(rb"reply-id: ([0-9a-f]{32})", re.IGNORECASE)

RATIO = (Beside("x alone", ALONE),)
DIFFERENCE = (Beside("- alone", ALONE, sub),)


def instances(how: str) -> Callable[[int, int], Launch]:
    def launch(port: int, _: int) -> Launch:
        return Launch([sys.executable, "-m", "scripts.benchmark.peers.instances", str(port), how])

    return launch


def sharing_servers() -> list[Server]:
    return [
        Server(ALONE, "PostgreSQL alone", instances("alone"), judged=True),
        Server(SHARED, "with Valkey", instances("shared"), judged=True),
    ]


def instance_ports(server: Running) -> dict[int, psutil.Process]:
    """The instances' processes by their ports, that of the first one first."""
    found: dict[int, psutil.Process] = {}
    for process in server.family:
        command = process.cmdline()
        if command[1:3] == ["-m", "app"]:
            found[int(command[-1])] = process
        elif pair := cores():
            process.cpu_affinity(list(pair))  # only the instances need a core that nobody else disturbs
    if len(found) != INSTANCES:
        raise WrongAnswer(f"there are {len(found)} instances instead of two")
    return dict(sorted(found.items(), key=lambda item: item[0] != server.port))


async def crowd_at_the_maker(server: Running, effort: Effort, streams: int) -> tuple[Answers, str]:
    """As `measure_crowd`; the cost is that of the instance that generates the replies."""
    maker = replace(server, family=[instance_ports(server)[server.port]])
    return await measure_crowd(maker, effort, streams=streams, pace_ms=PACE_MS)


async def measure_sharing(server: Running, effort: Effort) -> Result:
    answers, note = await crowd_at_the_maker(server, effort, STREAMS)
    return Result({"cpu_us_an_event": answers.cpu_us(answers.events()), **answers.gaps()}, note)


async def measure_first(server: Running, effort: Effort) -> Result:
    """The time to the first word, with so few streams that the instance is not busy."""
    answers, note = await crowd_at_the_maker(server, effort, CALM)
    return Result(answers.first(), note)


async def measure_lag(server: Running, _effort: Effort) -> Result:
    """How much later a word arrives through the other instance than through its own."""
    _, other = instance_ports(server)
    await listening(other)  # only the first instance is known to have started
    words = words_of(round(LAG_SECONDS * 1000 / PACE_MS))
    request = server.request(paced(PACE_MS, words))
    pairs: list[tuple[Connection, Connection]] = []
    try:
        for _ in range(FOLLOWED):
            local = await connect(server.port, request, lambda _: None)
            local.ask()
            reply_id = await answered(local)
            remote = await connect(other, follow(other, reply_id), lambda _: None)
            remote.ask()
            pairs.append((local, remote))
        await asyncio.sleep(LAG_SECONDS)
    finally:
        for pair in pairs:
            for connection in pair:
                connection.transport.abort()
    lags: list[float] = []
    for local, remote in pairs:
        here = heard(server, local.exchange, words, whole=False)
        there = heard(server, remote.exchange, words, whole=False)
        if not there:
            raise WrongAnswer("a reader at the other instance got nothing")
        began = there[0]  # what was there before came at once
        lags += [late - early for early, late in zip(here, there, strict=False) if early > began]
    return Result({"lag_p50_ms": percentile(lags, 0.5) * 1e3, "lag_p99_ms": percentile(lags, 0.99) * 1e3})


async def answered(connection: Connection) -> str:
    """The reply's id, once the head of the response is there."""
    deadline = perf_counter() + START_SECONDS
    while not (found := _REPLY_ID.search(connection.exchange.raw)):
        if perf_counter() > deadline:
            raise WrongAnswer("a stream did not begin")
        await asyncio.sleep(0.005)
    return found[1].decode()


def follow(port: int, reply_id: str) -> bytes:
    return (
        f"GET /api/replies/{reply_id}/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n"
    ).encode()


SHARING_SCENARIOS = (
    Scenario(
        "sharing",
        f"{STREAMS:,} streams at {1000 // PACE_MS} words per second, on PostgreSQL",
        (
            Metric("cpu_us_an_event", "CPU per event", "µs", 2, RATIO),
            Metric("gap_p99_ms", "gap p99", "ms", 1, DIFFERENCE),
        ),
        measure_sharing,
    ),
    Scenario(
        "first",
        f"{CALM} streams at {1000 // PACE_MS} words per second, on PostgreSQL: the first word",
        (
            Metric("first_p50_ms", "first event p50", "ms", 1, DIFFERENCE),
            Metric("first_p99_ms", "first event p99", "ms", 1, DIFFERENCE),
        ),
        measure_first,
    ),
    Scenario(
        "following",
        f"{FOLLOWED} streams, each read at the other instance as well: the lag of a word there",
        (
            Metric("lag_p50_ms", "lag p50", "ms", 1, DIFFERENCE),
            Metric("lag_p99_ms", "lag p99", "ms", 1, DIFFERENCE),
        ),
        measure_lag,
    ),
)
