"""One worker and two: what a reply costs each, and how many replies they make.

On a machine with two cores, two workers share one of them with the load generator, and both with PostgreSQL. So the
figure to look at is the CPU time of a reply, of the service's processes alone: what two workers could do with a core
each is twice what one does, divided by how much more a reply costs them. The replies per second that were achieved are
beside it, and are a lower bound. Each worker has as many connections, because writes of replies that end together share
a transaction.
"""

import sys
from collections.abc import Callable
from dataclasses import replace

import psutil

from .measuring import CONNECTIONS, Beside, Effort, Metric, Result, Scenario, measure_loop, words_of
from .servers import Launch, Running, Server, cores
from .transcript import WrongAnswer

ONE, TWO = "one-worker", "two-workers"
WORDS = 200

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


async def measure_workers(server: Running, effort: Effort) -> Result:
    words = words_of(WORDS)
    count = 1 if server.server.name == ONE else 2
    service = replace(server, family=spread(server))
    answers = await measure_loop(service, effort, " ".join(words), words, count * CONNECTIONS)
    seconds = max(moments[-1] for moments in answers.heard) - min(exchange.sent_at for exchange in answers.exchanges)
    replies = len(answers.exchanges)
    return Result({"cpu_us_a_reply": answers.cpu_us(replies), "replies_a_second": replies / seconds})


def spread(server: Running) -> list[psutil.Process]:
    """The service's processes, each worker on a core of its own and everything else on all."""
    pair = cores()
    if pair is None:
        raise WrongAnswer("workers cannot be compared on a machine that has one core, or cannot pin processes to cores")
    both = list(reversed(pair))
    service: list[psutil.Process] = []
    serving = 0
    for process in server.family:
        match process.cmdline()[1:3]:
            case ["-m", "app"] if "--workers" in process.cmdline() and process.cmdline()[-1] != "1":
                service.append(process)  # the parent
                process.cpu_affinity(both)
            case ["-m", "app" | "app.workers"]:
                service.append(process)
                process.cpu_affinity([both[serving % 2]])
                serving += 1
            case _:
                process.cpu_affinity(both)
    if not serving:
        raise WrongAnswer("no process of the service was found")
    return service


WORKER_SCENARIOS = (
    Scenario(
        "workers",
        f"Workers: {WORDS} words at once, on {CONNECTIONS} connections a worker, with PostgreSQL",
        (
            Metric("cpu_us_a_reply", "CPU per reply", "µs", 0, BESIDE),
            Metric("replies_a_second", "replies per second", "1/s", 0, BESIDE),
        ),
        measure_workers,
    ),
)
