"""`python -m scripts.benchmark`: runs the benchmarks, prints a table and draws a chart.

The exit status says whether everything worked, not whether it was fast: a missed target is not a failure.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import shutil
import signal
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from time import perf_counter

import psutil
import uvloop

from .chart import draw
from .earlier import EARLIER, UnknownCommit, built
from .measuring import Effort, Scenario
from .report import TARGETS, Outcome, block, targets
from .servers import ROOT, Server, cores, pin_load_generator, started
from .suites import Suite, chosen, suites
from .transcript import WrongAnswer

# Node's JIT needs about a second of warm-up; before, its figures are twice as high.
THOROUGH = Effort(warm_seconds=1.0, loop_seconds=1.0, ramp_seconds=1.0, crowd_seconds=5.0, settle_seconds=0.6)
QUICK = Effort(warm_seconds=1.0, loop_seconds=0.8, ramp_seconds=1.0, crowd_seconds=2.0, settle_seconds=0.6)
ROUNDS = 3
CHART = ROOT / "build" / "bench.svg"
FILES_NEEDED = 16_384
MEASUREMENT_SECONDS = 240


def main() -> int:
    arguments = options()
    try:
        earlier = built(arguments.against, say) if arguments.against else None
    except UnknownCommit as error:
        say(str(error))
        return 2
    known = suites(arguments.litellm, earlier)
    parts = chosen(known, arguments.names, quick=arguments.quick)
    effort = QUICK if arguments.quick else THOROUGH
    rounds = arguments.rounds or (1 if arguments.quick else ROUNDS)
    allow_open_files()
    pin_load_generator()
    outcome = Outcome()
    begin = perf_counter()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(outcome, parts, effort, rounds))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("stopped")
        return 130
    print(f"{machine()}\n")
    print(table(outcome, parts))
    if arguments.json:
        Path(arguments.json).write_text(as_json(outcome), encoding="utf-8")
    say(f"{perf_counter() - begin:.0f} s")
    write_chart(outcome, parts, Path(arguments.chart))
    return 1 if outcome.errors else 0


def table(outcome: Outcome, parts: Sequence[Suite]) -> str:
    blocks = [block(outcome, scenario, suite.titles()) for suite in parts for scenario in suite.scenarios]
    verdicts = [targets(outcome, suite.scenarios, suite.titles()) for suite in parts]
    return "\n\n".join([*blocks, "\n".join(["Targets for this service, in this run", *verdicts])])


def write_chart(outcome: Outcome, parts: Sequence[Suite], chart: Path) -> None:
    """Only for the suite `peers`: the chart shows ratios to bare ASGI, which has no counterpart among gateways."""
    for suite in parts:
        if suite.name == "peers":
            chart.parent.mkdir(parents=True, exist_ok=True)
            chart.write_text(draw(outcome, suite.scenarios, suite.titles(), machine()), encoding="utf-8")
            say(f"chart in {chart}")


async def run(outcome: Outcome, parts: Sequence[Suite], effort: Effort, rounds: int) -> None:
    """Round by round, so that other load on the machine affects all servers alike; each round starts with another."""
    task = asyncio.current_task()
    if task:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    for number, suite in product(range(rounds), parts):
        turn = [server for server in suite.servers if server.judged or number == 0]
        shift = number % max(1, len(turn))
        for scenario, server in product(suite.scenarios, turn[shift:] + turn[:shift]):
            if (scenario.name, server.name) not in outcome.errors:
                await measure(outcome, scenario, server, effort, number)


async def measure(outcome: Outcome, scenario: Scenario, server: Server, effort: Effort, number: int) -> None:
    key = (scenario.name, server.name)
    try:
        async with asyncio.timeout(MEASUREMENT_SECONDS), started(server) as running:
            result = await scenario.measure(running, effort)
    except (WrongAnswer, TimeoutError, OSError, psutil.Error) as error:
        outcome.errors[key] = str(error) or type(error).__name__
        say(f"{scenario.name:15} {server.name:14} failed: {outcome.errors[key]}")
        return
    outcome.results[*key, number] = result
    measured = [(metric, result.figures[metric.key]) for metric in scenario.metrics if metric.key in result.figures]
    figures = "  ".join(f"{metric.title} {figure:.1f} {metric.unit}" for metric, figure in measured)
    say(f"round {number + 1}  {scenario.name:15} {server.name:14} {figures}  {result.note}".rstrip())


def options() -> argparse.Namespace:
    known = ", ".join(dict.fromkeys(name for suite in suites() for name in suite.names()))
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="one short round, with only the servers that have targets")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"number of rounds (default: {ROUNDS}, with --quick 1)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these suites, scenarios and servers: {known}")
    parser.add_argument("--litellm", metavar="PATH", help="LiteLLM's executable, for `gateway` (default: on PATH)")
    parser.add_argument("--against", metavar="REV", help="also measure this commit, which is built aside if needed")
    parser.add_argument("--json", metavar="FILE", help="write the figures of every round to this file")
    parser.add_argument("--chart", metavar="FILE", default=str(CHART), help="default: %(default)s")
    arguments = parser.parse_args()
    if arguments.litellm and not shutil.which(arguments.litellm):
        parser.error(f"{arguments.litellm} is not an executable")
    names = {name for suite in suites(arguments.litellm) for name in suite.names()}
    if arguments.against:
        names.add(EARLIER)
    if unknown := set(arguments.names) - names:
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Next: choose from {', '.join(sorted(names))}")
    return arguments


def allow_open_files() -> None:
    """Each stream needs a socket, here and in the server, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_NEEDED if hard == resource.RLIM_INFINITY else min(FILES_NEEDED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def machine() -> str:
    pair = cores()
    pinned = f"load on core {pair[0]}, server on core {pair[1]}" if pair else "not pinned to cores"
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"Python {platform.python_version()}, {where}, {pinned}"


def as_json(outcome: Outcome) -> str:
    rows = [
        {"scenario": scenario, "server": server, "round": number + 1, **result.figures, "note": result.note}
        for (scenario, server, number), result in outcome.results.items()
    ]
    errors = [{"scenario": s, "server": v, "error": error} for (s, v), error in outcome.errors.items()]
    judged = [
        {"scenario": t.scenario, "figure": t.key, "to": t.to, "at_least" if t.is_floor else "at_most": t.limit,
         "unit": t.unit or "ratio", "is": outcome.beside(t.scenario, t.of, t.to, t.key, t.how)}
        for t in TARGETS
    ]  # fmt: skip
    return json.dumps({"machine": machine(), "results": rows, "errors": errors, "targets": judged}, indent=1) + "\n"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
