"""The trials of a client: each runs its program against a fresh service, and says in a few words what was seen.

A program prints what it has received as its last line, in JSON: `{"text": ..., "error": ...}`. What the service saw is
in its log, which has one line for each request, at its end.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
from anyio.from_thread import start_blocking_portal

from tests.support.cutting import Cut, CuttingProxy
from tests.support.server import LiveServer

from .catalogue import Client

TEXT = "Hello  there,\n\nmy \u2028 world! \u65e5\u672c [DONE]"
LOST_TEXT = "one two three four five six"
MESSAGES = {
    "whole": TEXT,
    "stream": TEXT,
    "early": "/simulate status=503\n",
    "late": "/simulate fail_after=2 pace_ms=20\none two three",
    "lost": f"/simulate pace_ms=20\n{LOST_TEXT}",
    "stop": "/simulate pace_ms=20 repeat=1000\none two three ",
    "back": f"/simulate pace_ms=300\n{LOST_TEXT}",
}
"""What is asked in each trial."""
PROGRAM_SECONDS = 240
_LOST = Cut(5, 20)
"""Within an event with some of the text. Before the text come one or two others, or none."""
_LEFT_SECONDS = 3.0
"""A program that has left a reply goes on for so long, so that the end of its process closes nothing."""

Run = Callable[[str], tuple[dict[str, str], float]]
"""Runs the program for a trial. Returns what it has said, and when it ended, by `time.monotonic`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a program."""

    text: str
    error: str
    requests: int
    """How many replies the service was asked for."""
    stopped_before: bool
    """Whether the last of them was over before the program ended."""


def run(command: Sequence[str], trial: str, environment: dict[str, str], client: Client) -> Seen:
    """Run a client's program against a service of its own. Raises `RuntimeError` with the end of its output."""
    with LiveServer(first_word_seconds=0.5) as server, _address(server, trial) as url:
        process = subprocess.Popen(
            [*command, f"{url}{client.base}", trial, MESSAGES[trial]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        try:
            output, errors = process.communicate(timeout=PROGRAM_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise RuntimeError(f"it did not end in {PROGRAM_SECONDS} s") from None
        over = _asked(server, client.asks_at)
        time.sleep(0.3)
        lines = [line for line in output.split("\n") if line.startswith("{")]
        if not lines:
            raise RuntimeError(errors[-800:] or "it said nothing")
        said = json.loads(lines[-1])
        return Seen(said.get("text") or "", said.get("error") or "", _asked(server, client.asks_at), over > 0)


@contextmanager
def _address(server: LiveServer, trial: str) -> Iterator[str]:
    """Where a program finds the service. In the trial `lost`, the first reply is cut off."""
    if trial != "lost":
        yield server.url
        return

    async def once_it_is_read(_: int) -> None:
        await anyio.sleep(0.1)

    proxy = CuttingProxy(server.port, [_LOST], once_it_is_read, b"POST")
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(proxy):
        yield proxy.url


def _asked(server: LiveServer, path: str) -> int:
    return sum(entry.get("path") == path for entry in server.log_entries())


def whole(seen: Seen) -> str:
    """The text in one piece, or as a stream."""
    return "yes" if seen.text == TEXT else f"**{seen.error or 'another text'}**"


def early(seen: Seen) -> str:
    """An error before the first word."""
    return f"{seen.error or 'none'}, {seen.requests} request{'s' * (seen.requests != 1)}"


def late(seen: Seen) -> str:
    """An error after some words."""
    kept = "the text so far" if seen.text.startswith("one") else "no text"
    return f"{seen.error or '**taken for whole**'}, {kept}"


def lost(seen: Seen) -> str:
    """Losing the connection after some words."""
    if seen.text == LOST_TEXT and not seen.error:
        return f"goes on, {seen.requests} requests"
    kept = "the text so far" if LOST_TEXT.startswith(seen.text) and seen.text else "no text"
    return f"{seen.error or '**taken for whole**'}, {kept}"


def left(seen: Seen) -> str:
    """Leaving in the middle."""
    return "stops" if seen.stopped_before else "**goes on**"


def back(seen: Seen) -> str:
    """Loading the page again in the middle."""
    return "goes on" if seen.text == LOST_TEXT and not seen.error else f"**{seen.error or 'another text'}**"


TRIALS: dict[str, Callable[[Seen], str]] = {
    "whole": whole,
    "stream": whole,
    "early": early,
    "late": late,
    "lost": lost,
    "stop": left,
    "back": back,
}
HEADS = {
    "whole": "in one piece",
    "stream": "stream",
    "early": "503 before the first word",
    "late": "failure after the first word",
    "lost": "connection lost after some words",
    "stop": "stopped by the client",
    "back": "page loaded again in the middle",
}
