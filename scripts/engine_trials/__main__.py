"""`scripts/engines`: tries real engines behind the running service.

Installs each engine from the package index, into an environment of its own in build/engines (up to 4 GB in all), starts
it, and makes all trials through `python -m app --bot openai`. An engine that cannot be had is told of, and the others
go on. Takes about ten minutes an engine.
"""

import argparse
import asyncio
import shutil
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter

from .catalogue import ENGINES, Engine
from .environments import PLACE
from .lab import laboratory
from .outcome import TrialFailed
from .results import PAGE, Result, keep, kept, tables
from .trials import TRIALS, tried


def main() -> int:
    """Returns 1 if an engine could not be tried."""
    options = _options()
    if options.clean:
        shutil.rmtree(PLACE, ignore_errors=True)
        return 0
    trials = [name for name in TRIALS if not options.only or any(part.lower() in name.lower() for part in options.only)]
    results: dict[str, Result] = {}
    begin = perf_counter()
    try:
        for name in options.engine or ENGINES:
            result = asyncio.run(_try(ENGINES[name], trials, begin))
            if result is not None:
                results[name] = result
                if options.write:
                    keep({name: result})
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    if results:
        print(tables(kept() if options.write else results))
    if options.write:
        print(f"{PAGE} is written.", file=sys.stderr)
    return int(len(results) < len(options.engine or ENGINES))


async def _try(engine: Engine, trials: Sequence[str], begin: float) -> Result | None:
    def report(line: str) -> None:
        print(f"{perf_counter() - begin:5.0f} s  {engine.name:16} {line}", file=sys.stderr, flush=True)

    task = asyncio.current_task()
    if task:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        async with laboratory(engine, report) as lab:
            outcome = await tried(lab, list(trials))
    except TrialFailed as failed:
        report(f"CANNOT BE TRIED: {failed}")
        return None
    return Result(engine.version, f"{datetime.now(UTC):%-d %B %Y}", outcome)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/engines",
        description=__doc__,
        epilog=f"engines: {', '.join(ENGINES)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("engine", nargs="*", type=_engine, metavar="ENGINE", help="only these; by default all")
    parser.add_argument("--only", action="append", metavar="TEXT", help="only trials that have this in their name")
    parser.add_argument("--write", action="store_true", help="keep the results, and write the tables in docs/bots.md")
    parser.add_argument("--clean", action="store_true", help="remove everything that was installed, and nothing else")
    return parser.parse_args()


def _engine(name: str) -> str:
    if name not in ENGINES:
        raise argparse.ArgumentTypeError(f"there is no '{name}'. Next: one of {', '.join(ENGINES)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
