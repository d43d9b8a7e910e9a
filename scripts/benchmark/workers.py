"""One worker on one core, and two on two: what a reply costs each, and how many replies they make.

PostgreSQL and the load generator have the same cores as the workers, one or two: they need a good part of a core, and
with two cores nothing else would be left for the second worker. The CPU time of a reply is that of the service's
processes alone. Each worker has as many connections, because writes of replies that end together share a transaction.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil

from .measuring import CONNECTIONS, Beside, Effort, Metric, Result, Scenario, measure_loop, words_of
from .servers import Launch, Running, Server, cores
from .transcript import WrongAnswer

ONE, TWO = "one-worker", "two-workers"
WORDS, LONG = 200, 1300

BESIDE = (Beside("x one", ONE),)


def workers(count: int) -> Callable[[int, int], Launch]:
    def launch(port: int, _: int) -> Launch:
        return Launch([sys.executable, "-m", "scripts.benchmark.peers.workers", str(port), str(count)])

    return launch


def worker_servers() -> list[Server]:
    return [
        Server(ONE, "one worker", workers(1), judged=True),
        Server(TWO, "two workers", workers(2), judged=True),
    ]


def measure_workers(length: int) -> Callable[[Running, Effort], Awaitable[Result]]:
    """Replies of so many words."""
    words = words_of(length)

    async def measure(server: Running, effort: Effort) -> Result:
        count = 1 if server.server.name == ONE else 2
        with everything_on(server, count) as service:
            limited = replace(server, family=service)
            answers = await measure_loop(limited, effort, " ".join(words), words, count * CONNECTIONS)
        seconds = max(moments[-1] for moments in answers.heard) - min(one.sent_at for one in answers.exchanges)
        replies = len(answers.exchanges)
        return Result({"cpu_us_a_reply": answers.cpu_us(replies), "replies_a_second": replies / seconds})

    return measure


@contextmanager
def everything_on(server: Running, count: int) -> Iterator[list[psutil.Process]]:
    """The service's processes: each worker on a core of its own, and everything else on the cores of all workers."""
    pair = cores()
    if pair is None:
        raise WrongAnswer("workers cannot be compared on a machine that has one core, or cannot pin processes to cores")
    used = pair[:count]
    service: list[psutil.Process] = []
    serving = 0
    for process in server.family:
        match process.cmdline()[1:3]:
            case ["-m", "app"] if "--workers" in process.cmdline() and process.cmdline()[-1] != "1":
                service.append(process)  # the parent
                process.cpu_affinity(list(used))
            case ["-m", "app" | "app.workers"]:
                service.append(process)
                process.cpu_affinity([used[serving % count]])
                serving += 1
            case _:
                process.cpu_affinity(list(used))
    if serving != count:
        raise WrongAnswer(f"{serving} processes serve instead of {count}")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, used)
    try:
        yield service
    finally:
        os.sched_setaffinity(0, before)


WORKER_SCENARIOS = tuple(
    Scenario(
        name,
        f"Workers: {length:,} words at once, on {CONNECTIONS} connections a worker, with PostgreSQL",
        (
            Metric("cpu_us_a_reply", "CPU per reply", "µs", 0, BESIDE),
            Metric("replies_a_second", "replies per second", "1/s", 0, BESIDE),
        ),
        measure_workers(length),
    )
    for name, length in (("workers", WORDS), ("long", LONG))
)
