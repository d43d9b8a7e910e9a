"""Runs the service for an hour under modest load, and tells whether what it uses stays flat.

The first quarter is for warming up. Then the figures of the last quarter must be those of the second, and when the load
is over, descriptors and tasks must be as many as before it.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .__main__ import ROOT, tell, write
from .behaviours import MIX
from .chart import draw
from .crowd import Look, Plan, run
from .observed import EVERY_SECONDS
from .report import Thresholds, as_json, missed, summary
from .watching import Usage, Watch

CHART, FIGURES = Path("build", "soak.svg"), Path("build", "soak.json")
GROWTH = 1.05
"""Of the last quarter beside the second, which is flat."""
REST_SECONDS = 140.0
"""After the load: longer than a finished reply stays in memory, and an idle connection open."""
POOLED = 15
"""Descriptors of connections to the database, which stay open."""
_START_SECONDS = 60.0
_LISTENS = re.compile(r"running on (http://[^ /]+)")


def main() -> int:
    arguments = options()
    plan_seconds = arguments.minutes * 60
    with served() as service:
        watch = Watch([service.pid], service.database, service.tasks)
        time.sleep(2 * EVERY_SECONDS)
        before = watch.sample()
        plan = Plan(
            [service.url],
            arguments.streams,
            plan_seconds,
            arguments.pace_ms,
            arguments.words,
            MIX,
            message="",
            key="",
            keep=False,
            every_seconds=arguments.every,
        )
        tally, looks = asyncio.run(run(plan, watch, tell))
        time.sleep(min(REST_SECONDS, plan_seconds))
        after = watch.sample()
        log = service.log.read_text("utf-8")
    print(summary(tally))
    title = f"{arguments.minutes:g} minutes, {plan.streams} clients at a time, a word each {plan.pace_ms} ms"
    write(ROOT / CHART, draw(title, "SQLite, one process, all defaults; medians and extents", looks))
    write(ROOT / FIGURES, as_json(plan, tally, looks))
    said = missed(tally.total, Thresholds(None, None, 0))
    said += [*grown(looks, plan_seconds), *left_over(before, after)]
    if complaints := [row for row in log.splitlines() if '"level": "error"' in row or "Traceback" in row]:
        said.append(f"the log has {len(complaints)} errors, first: {complaints[0][:300]}")
    print("\n".join(["NOT FLAT", *said]) if said else "FLAT")
    return 1 if said else 0


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60, metavar="M", help="how long (%(default)s)")
    parser.add_argument("--streams", type=int, default=60, metavar="N", help="clients at a time (%(default)s)")
    parser.add_argument("--pace-ms", type=int, default=250, metavar="MS", help="between two words (%(default)s)")
    parser.add_argument("--words", type=int, default=60, metavar="N", help="of a reply (%(default)s)")
    parser.add_argument("--every", type=float, default=15, metavar="S", help="between two samples (%(default)s)")
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Service:
    """A service that runs for the soak."""

    url: str
    pid: int
    database: Path
    tasks: Path
    log: Path


@contextmanager
def served() -> Iterator[Service]:
    """With all defaults and the simulator, on a free port, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        tasks, log = Path(folder, "tasks"), Path(folder, "log")
        command = [sys.executable, "-m", "scripts.loading.observed", str(tasks), "--port", "0", "--bot", "simulator"]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
        with log.open("wb") as written:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=inherited | {"PYTHONPATH": str(ROOT), "CHAT_LOG_FORMAT": "json"},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Service(address_of(process, log), process.pid, Path(folder, "chat.db"), tasks, log)
        finally:
            process.terminate()
            process.wait()


def address_of(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while not (found := _LISTENS.search(log.read_text("utf-8"))):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"scripts/soak: the service did not start:\n{log.read_text('utf-8')}")
        time.sleep(0.1)
    return found[1]


FIGURE: dict[str, Callable[[Usage], float | None]] = {
    "memory, MiB": lambda usage: usage.memory_mib,
    "file descriptors": lambda usage: usage.descriptors,
    "threads": lambda usage: usage.threads,
    "tasks": lambda usage: usage.tasks,
    "database, MiB": lambda usage: usage.database_mib,
}


def grown(looks: Sequence[Look], seconds: float) -> list[str]:
    """The figures that are not flat. Prints all."""
    said: list[str] = []
    for what, figure in FIGURE.items():
        second, last = (
            [
                value
                for look in looks
                if look.usage
                and start * seconds < look.at_seconds <= (start + 0.25) * seconds
                and (value := figure(look.usage)) is not None
            ]
            for start in (0.25, 0.75)
        )
        if not second or not last:
            said.append(f"{what}: not measured")
            continue
        print(f"{what}: {median(second):.1f} in the second quarter, {median(last):.1f} in the last")
        if median(last) > median(second) * GROWTH:
            said.append(f"{what} grew from {median(second):.1f} to {median(last):.1f}")
    return said


def left_over(before: Usage | None, after: Usage | None) -> list[str]:
    """What did not go with its clients."""
    if before is None or after is None:
        return ["the service is gone"]
    print(
        f"before and after the load: {before.descriptors} and {after.descriptors} descriptors, {before.tasks} and "
        f"{after.tasks} tasks, {before.memory_mib:.0f} and {after.memory_mib:.0f} MiB"
    )
    said: list[str] = []
    if after.descriptors > before.descriptors + POOLED:
        said.append(f"{after.descriptors - before.descriptors} descriptors are left over")
    if (after.tasks or 0) > (before.tasks or 0):
        said.append("tasks are left over")
    return said


if __name__ == "__main__":
    sys.exit(main())
