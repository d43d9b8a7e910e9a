"""`chat-verify URL`, or `python -m chat_verify`: the command line interface.

Exit status: 0, the contract holds as far as could be seen; 1, it is broken; 2, wrong usage, or this program failed; 3,
the deployment cannot be reached, requires another key, or stopped half-way; 130, interrupted.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chat_verify.capture import STDIN, check_capture
from chat_verify.contract import VERSION
from chat_verify.findings import Report
from chat_verify.reports.junit import write_junit
from chat_verify.reports.sarif import write_sarif
from chat_verify.reports.text import as_text
from chat_verify.target import Place
from chat_verify.trying import LAWS, Options, verify

_EPILOG = """exit status:
  0  the contract holds as far as could be seen
  1  it is broken
  2  wrong usage
  3  the deployment cannot be reached

laws:
""" + "\n".join(f"  {law.name:13}{law.meaning}" for law in LAWS)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files that reports are written to, in addition to standard output."""

    junit: Path | None
    sarif: Path | None


@dataclass(frozen=True, slots=True)
class Capture:
    """A recording to check."""

    name: str
    after: int


def main() -> int:
    work, outputs = parsed()
    try:
        if isinstance(work, Capture):
            report = check_capture(work.name, LAWS, work.after)
        else:
            with asyncio.Runner() as runner:
                report = runner.run(until_stopped(work))
    except KeyboardInterrupt:
        return 130
    except Exception:  # noqa: BLE001 - a defect of this program says nothing about the deployment
        traceback.print_exc()
        say("chat-verify itself failed; this says nothing about the deployment")
        return 2
    print(as_text(report), end="", flush=True)
    if outputs.junit:
        write_junit(report, outputs.junit)
    if outputs.sarif:
        write_sarif(report, outputs.sarif)
    return report.exit_status()


async def until_stopped(options: Options) -> Report:
    """Stop early on Ctrl-C or SIGTERM, with a report; a second signal stops at once."""
    verifying = asyncio.create_task(verify(options, say))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, verifying, number)
    return await verifying


def stop(verifying: "asyncio.Task[Report]", number: signal.Signals) -> None:
    asyncio.get_running_loop().remove_signal_handler(number)
    verifying.cancel()


def parsed() -> tuple[Options | Capture, Outputs]:
    parser = argument_parser()
    given = parser.parse_args()
    outputs = Outputs(given.junit, given.sarif)
    for flag, path in (("--junit", given.junit), ("--sarif", given.sarif)):
        if path and not path.absolute().parent.is_dir():
            parser.error(f"{flag} {path}: there is no such folder")
    if bool(given.url) == bool(given.capture):
        parser.error("give either a URL, or a recording with --capture")
    if given.capture:
        if given.capture != STDIN and not Path(given.capture).is_file():
            parser.error(f"--capture {given.capture}: there is no such file")
        return Capture(given.capture, given.after), outputs
    if wrong := wrong_address(given.url):
        parser.error(f"{given.url}: {wrong}")
    if given.ca and not Path(given.ca).is_file():
        parser.error(f"--ca {given.ca}: there is no such file")
    if given.other_key and not given.key:
        parser.error("--other-key needs --key as well")
    place = Place(given.url.rstrip("/"), given.key, given.other_key, str(Path(given.ca).absolute()) if given.ca else "")
    return Options(place, given.seed, given.seconds, given.rate, given.heartbeat, given.examples, given.law), outputs


def argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chat-verify",
        description="Verifies a running chat backend against its contract, from outside and through every proxy in "
        "front of it,\nor checks a recorded stream. It deletes the conversations that it creates.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", nargs="?", help="the deployment: http:// or https://, including the path in front of /api, if any")
    add("--key", default=os.environ.get("VERIFY_KEY", ""), help="an API key or token; default: VERIFY_KEY")
    add(
        "--other-key",
        metavar="KEY",
        default=os.environ.get("VERIFY_OTHER_KEY", ""),
        help="a key of another name, which must not see the first one's data; default: VERIFY_OTHER_KEY",
    )
    add("--seconds", type=positive, default=60.0, metavar="N", help="total time for all laws (default: 60)")
    add("--rate", type=positive, default=5.0, metavar="N", help="maximum messages per second (default: 5)")
    add("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="repeat a run with the same texts")
    add(
        *("--law", "-l"),
        action="append",
        choices=[law.name for law in LAWS],
        default=[],
        metavar="NAME",
        help="try only this law; can be repeated",
    )
    add(
        "--examples",
        type=int,
        default=None,
        metavar="N",
        help="generated requests per operation; 0: only the document's examples (default: as many as time allows)",
    )
    add("--junit", type=Path, metavar="FILE", help="also write a report as JUnit XML")
    add("--sarif", type=Path, metavar="FILE", help="also write a report as SARIF 2.1.0")
    add("--ca", metavar="FILE", default="", help="certificates to trust, for https")
    add(
        "--heartbeat",
        type=positive,
        default=15.0,
        metavar="SECONDS",
        help="the deployment's CHAT_HEARTBEAT_SECONDS (default: 15)",
    )
    add("--capture", metavar="FILE", default="", help="check a stream recorded with curl -N, without a connection")
    add(
        "--after",
        type=int,
        default=0,
        metavar="N",
        help="with --capture: the number in Last-Event-ID, if one was sent",
    )
    add("--version", action="version", version=f"chat-verify {VERSION}, for contract {VERSION}")
    return parser


def wrong_address(url: str) -> str:
    """What is wrong with the URL; empty if nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return "the URL must start with http:// or https:// and have a host"
    if parts.query or parts.fragment or parts.username is not None:
        return "the URL must not have a query, a fragment or a user"
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
