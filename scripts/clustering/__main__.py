"""Runs a cluster until a signal comes: instances that are replaced when they die, and restarted in turn on SIGHUP."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.serving import CLOSING_SECONDS
from app.settings import Settings

from .parts import Part, PartFailed, caddy, instance, stores

STOP_SECONDS = Settings.model_fields["drain_seconds"].default + CLOSING_SECONDS + 20.0
_LOOK_SECONDS = 0.5


def main() -> int:
    arguments = options()
    with tempfile.TemporaryDirectory(prefix="cluster-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o755)  # PostgreSQL does not run as root
        try:
            with stores(folder) as settings:
                asyncio.run(run(arguments, settings, folder))
        except PartFailed as failed:
            print(f"scripts/cluster: {failed}", file=sys.stderr)
            return 1
    return 0


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/cluster", description=__doc__)
    parser.add_argument("--instances", type=int, default=2, metavar="N", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8080, metavar="PORT", help="of Caddy (%(default)s)")
    parser.add_argument("--bot", default="simulator", help="default: %(default)s")
    parser.add_argument("--no-proxy", action="store_true", help="without Caddy, where there is none")
    return parser.parse_args()


async def run(arguments: argparse.Namespace, settings: dict[str, str], folder: Path) -> None:
    """Until SIGINT or SIGTERM. Raises `PartFailed`."""
    wanted: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, wanted.put_nowait, number)
    made = [instance(number, arguments.bot, settings, folder) for number in range(1, arguments.instances + 1)]
    instances = [part for part, _ in made]
    ports = [port for _, port in made]
    proxy = None if arguments.no_proxy else caddy(arguments.port, ports, folder)
    parts = [*instances, *([proxy] if proxy else [])]
    try:
        for part in parts:  # one after the other: the first one makes the tables
            await part.start()
        tell(arguments, instances, ports, settings, folder)
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    number = await wanted.get()
            except TimeoutError:
                await replace_dead(parts)
                continue
            if number is not signal.SIGHUP:
                return
            for part in instances:
                say(f"restarting {part.name}")
                await part.stop(STOP_SECONDS)
                await part.start()
                say(f"{part.name} (process {part.pid}) is ready")
            say("restarted")
    finally:
        say("stopping")
        ended = await asyncio.gather(*(part.stop(STOP_SECONDS) for part in instances), return_exceptions=True)
        for part in parts:
            part.kill()
        for result in ended:
            if isinstance(result, BaseException):
                raise result


async def replace_dead(parts: Sequence[Part]) -> None:
    for part in parts:
        if part.has_died():
            say(f"{part.name} has died, and is started again")
            await part.start()
            say(f"{part.name} (process {part.pid}) is ready")


def tell(
    arguments: argparse.Namespace,
    instances: Sequence[Part],
    ports: Sequence[int],
    settings: Mapping[str, str],
    folder: Path,
) -> None:
    for part, port in zip(instances, ports, strict=True):
        say(f"{part.name} (process {part.pid}) is at http://127.0.0.1:{port}")
    for name, value in settings.items():
        say(f"{name}={value}")
    say(f"logs are in {folder}")
    address = f"http://127.0.0.1:{ports[0] if arguments.no_proxy else arguments.port}"
    say(
        f"the service is running on {address}/. Ctrl-C stops it; kill -HUP {os.getpid()} restarts the instances in turn"
    )


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
