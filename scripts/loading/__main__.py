"""Puts a running service on this machine under load, and checks every word of every reply.

Clients read replies of numbered words; some cut the connection and go on elsewhere, read twice, cancel, leave for good,
or break the rules. All of them do what docs/clients.md says, so whatever they cannot get over is an error.
"""

import argparse
import asyncio
import ipaddress
import resource
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp
import psutil
import uvloop
from yarl import URL

from .behaviours import BEHAVIOURS, MIX
from .chart import draw
from .crowd import Look, Plan, Stuck, run
from .report import Thresholds, as_json, line, missed, summary
from .watching import Watch

ROOT = Path(__file__).resolve().parents[2]
CHART = Path("build", "load.svg")
BROKEN, USAGE, UNREACHABLE = 1, 2, 3
_SPARE_FILES = 100


def main() -> int:
    arguments = options().parse_args()
    try:
        plan = planned(arguments)
        watch = Watch(arguments.watch, arguments.database)
    except (ValueError, psutil.NoSuchProcess) as error:
        print(f"scripts/load: {error}", file=sys.stderr)
        return USAGE
    allow_files(plan.streams)
    try:
        asyncio.run(answers(plan.addresses))
        tally, looks = uvloop.run(run(plan, watch, tell))
    except (aiohttp.ClientError, OSError) as error:
        print(f"scripts/load: {error}. Next: start the service there, or give another address", file=sys.stderr)
        return UNREACHABLE
    except Stuck as stuck:
        print(f"scripts/load: {stuck}", file=sys.stderr)
        return BROKEN
    except KeyboardInterrupt:
        return 130
    print(summary(tally))
    if looks:
        title = f"{plan.streams} streams, a word each {plan.pace_ms} ms"
        write(arguments.chart, draw(title, " ".join(plan.addresses), looks))
    if arguments.json:
        write(arguments.json, as_json(plan, tally, looks))
    said = missed(tally.total, Thresholds(arguments.first_ms, arguments.late_ms, arguments.errors))
    print("\n".join(["MISSED", *said]) if said else "HELD")
    return BROKEN if said else 0


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", nargs="+", help="the service, on this machine; several addresses of the same service")
    parser.add_argument("--streams", type=int, default=100, metavar="N", help="clients at a time (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60, metavar="S", help="how long (%(default)s)")
    parser.add_argument("--pace-ms", type=int, default=50, metavar="MS", help="between two words (%(default)s)")
    parser.add_argument("--words", type=int, default=100, metavar="N", help="of a reply (%(default)s)")
    parser.add_argument("--mix", type=mixed, default=MIX, metavar="WHAT=N,...", help=f"weights of {', '.join(MIX)}")
    parser.add_argument("--message", default="", help="for a bot that is not the simulator; its text is not checked")
    parser.add_argument("--key", default="", help="API key or token")
    parser.add_argument("--keep", action="store_true", help="leave the conversations that it makes")
    parser.add_argument("--every", type=float, default=5, metavar="S", help="between two lines (%(default)s)")
    parser.add_argument("--watch", type=int, action="append", default=[], metavar="PID", help="a process to measure")
    parser.add_argument("--database", type=Path, metavar="FILE", help="an SQLite file to measure")
    parser.add_argument("--first-ms", type=float, metavar="MS", help="threshold: first word, p99")
    parser.add_argument("--late-ms", type=float, metavar="MS", help="threshold: a word's delay, p99")
    parser.add_argument("--errors", type=int, default=0, metavar="N", help="threshold (%(default)s)")
    parser.add_argument("--chart", type=Path, default=ROOT / CHART, metavar="FILE", help=f"default: {CHART}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser


def planned(arguments: argparse.Namespace) -> Plan:
    """Raises `ValueError`."""
    if arguments.streams < 1 or arguments.words < 2 or arguments.pace_ms < 0:  # noqa: PLR2004 - behaviours need two
        raise ValueError("--streams has to be 1 or more, --words 2 or more, --pace-ms 0 or more")
    if arguments.every <= 0 or arguments.seconds <= 0:
        raise ValueError("--seconds and --every have to be more than 0")
    return Plan(
        [on_this_machine(url) for url in arguments.url],
        arguments.streams,
        arguments.seconds,
        arguments.pace_ms,
        arguments.words,
        arguments.mix,
        arguments.message,
        arguments.key,
        arguments.keep,
        arguments.every,
    )


def on_this_machine(url: str) -> str:
    """Without its last slash. Raises `ValueError` for an address of another machine: load there is an attack."""
    parsed = URL(url)
    if parsed.scheme != "http" or not parsed.host:
        raise ValueError(f"{url} is no http:// address")
    try:
        found = {info[4][0] for info in socket.getaddrinfo(parsed.host, parsed.port, type=socket.SOCK_STREAM)}
    except OSError:
        found = set()
    if not found or not all(ipaddress.ip_address(str(address)).is_loopback for address in found):
        raise ValueError(f"{parsed.host} is not a loopback address. Next: run it on the machine of the service")
    return url.rstrip("/")


def mixed(text: str) -> Mapping[str, int]:
    pairs = [part.partition("=") for part in text.split(",")]
    mix = {name.strip(): int(weight) for name, _, weight in pairs}
    if not set(mix) <= set(BEHAVIOURS) or min(mix.values()) < 0 or not any(mix.values()):
        raise ValueError(text)
    return mix


def allow_files(streams: int) -> None:
    """Each stream is a socket, and some clients have two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * streams + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


async def answers(addresses: Sequence[str]) -> None:
    """Raises `aiohttp.ClientError` or `OSError`."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
        for address in addresses:
            async with session.get(f"{address}/api/health") as response:
                await response.read()


def tell(look: Look) -> None:
    print(line(look), file=sys.stderr, flush=True)


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
