"""`python -m scripts.verification`: verifies any running deployment of the contract, from outside.

Exit status: 0, it holds, as far as could be seen; 1, it breaks the contract; 2, wrong usage, or this program failed;
3, the deployment cannot be reached, asks for another key, or has gone half-way; 130, interrupted.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import traceback
from pathlib import Path
from urllib.parse import urlsplit

from .findings import Report
from .reporting import as_text, write_junit
from .target import Place
from .trying import LAWS, Options, verify


def main() -> int:
    options, junit = parsed()
    try:
        with asyncio.Runner() as runner:
            report = runner.run(until_stopped(options))
    except KeyboardInterrupt:
        return 130
    except Exception:  # noqa: BLE001 - of this program; nothing is known of the deployment then
        traceback.print_exc()
        say("scripts/verify has failed; that says nothing about the deployment")
        return 2
    print(as_text(report), end="", flush=True)
    if junit:
        write_junit(report, junit)
    return report.exit_status()


async def until_stopped(options: Options) -> Report:
    """Ctrl-C and SIGTERM end it early, with a report; a second one ends it at once."""
    verifying = asyncio.create_task(verify(options, say))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, verifying, number)
    return await verifying


def stop(verifying: "asyncio.Task[Report]", number: signal.Signals) -> None:
    asyncio.get_running_loop().remove_signal_handler(number)
    verifying.cancel()


def parsed() -> tuple[Options, Path | None]:
    names = [law.name for law in LAWS]
    parser = argparse.ArgumentParser(
        prog="scripts/verify",
        description="Verifies any running deployment of the contract from outside. What it says there, it deletes.",
        epilog="Exit status: 0 it holds, 1 it breaks the contract, 2 wrong usage, 3 it cannot be reached. "
        f"Laws: {', '.join(names)}.",
    )
    parser.add_argument("url", help="where it is: http:// or https://, with the path in front of /api if there is one")
    parser.add_argument(
        "--key", default=os.environ.get("VERIFY_KEY", ""), help="default: VERIFY_KEY in the environment"
    )
    parser.add_argument(
        "--other-key",
        metavar="KEY",
        default=os.environ.get("VERIFY_OTHER_KEY", ""),
        help="of another name: must not see what the first one has; default: VERIFY_OTHER_KEY",
    )
    parser.add_argument("--seconds", type=positive, default=60.0, metavar="N", help="for all (default: 60)")
    parser.add_argument(
        "--rate", type=positive, default=5.0, metavar="N", help="messages a second at most (default: 5)"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="repeats a run")
    parser.add_argument(
        "--law", action="append", choices=names, default=[], metavar="NAME", help="this one alone; again"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a report for a CI as well")
    parser.add_argument("--ca", metavar="FILE", default="", help="certificates to trust, for https")
    parser.add_argument(
        "--heartbeat", type=positive, default=15.0, metavar="SECONDS", help="its CHAT_HEARTBEAT_SECONDS (default: 15)"
    )
    given = parser.parse_args()
    if wrong := wrong_address(given.url):
        parser.error(f"{given.url}: {wrong}")
    if given.junit and not given.junit.absolute().parent.is_dir():
        parser.error(f"--junit {given.junit}: there is no such folder")
    if given.ca and not Path(given.ca).is_file():
        parser.error(f"--ca {given.ca}: there is no such file")
    if given.other_key and not given.key:
        parser.error("--other-key takes a --key beside it")
    place = Place(given.url.rstrip("/"), given.key, given.other_key, str(Path(given.ca).absolute()) if given.ca else "")
    options = Options(place, given.seed, given.seconds, given.rate, given.heartbeat, given.law)
    return options, given.junit


def wrong_address(url: str) -> str:
    """Why that is none, if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return "an address begins with http:// or https:// and has a host"
    if parts.query or parts.fragment or parts.username is not None:
        return "an address here has no query, no fragment and no user"
    return ""


def positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 10**6:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
