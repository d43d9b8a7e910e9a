"""The law of the document: schemathesis generates valid and invalid requests, and checks each response against it.

schemathesis is an extra (`pip install 'chat-verify[fuzz]'`): without it, only this law cannot be seen.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

from chat_verify import contract, hops
from chat_verify.contract import PLACES
from chat_verify.exchange import Request
from chat_verify.findings import Broken, Unreachable, Unseen
from chat_verify.target import ALL_MESSAGES, Target
from chat_verify.visit import Fuzzer, Visit

_LEAST_SECONDS = 4.0
_GRACE_SECONDS = 2.0
_START_SECONDS = 60.0
_PROGRESS_SECONDS = 5.0
_LOST_AT_MOST = 5
_LINE_BYTES = 2**22
_PACKAGES = Path(__file__).parent.parent.parent
"""The import path of this package, for the fuzzer's process."""
_LAWS = {
    "Custom check failed: `stream_obeys_its_grammar`": "grammar",
    "Custom check failed: `error_is_a_problem_of_the_contract`": "statuses",
    "Undocumented status code": "statuses",
}
"""Checks that belong to other laws."""
_MESSAGES = {" ".join(PLACES[operation_id]) for operation_id in ALL_MESSAGES}
_OPTIONAL = "\nsecurity:\n  - {}\n"
_CONFIG = """
continue-on-failure = true
max-stream-events = 5000 # 20 by default; a longer stream is cut, and not checked against the schema of the whole

[phases.stateful.inference]
algorithms = [] # only the document's links; none are inferred

[generation]
database = "none" # a run depends only on its seed, not on earlier runs
no-shrink = true # report the first request that fails

[cache]
enabled = false
"""


async def document(visit: Visit) -> None:
    """Run the fuzzer for the time that is left; each kind of breach is reported once."""
    visit.finding.unit = "requests"
    if visit.fuzzer is None:
        raise Unseen("it requires schemathesis. Next: pip install 'chat-verify[fuzz]'")
    seconds = visit.seconds_left() - _GRACE_SECONDS
    if seconds < _LEAST_SECONDS:
        raise Unseen("there was no time for it. Next: raise --seconds")
    run = _Run(visit, visit.fuzzer)
    for breach in await run.breaches(_arguments(visit, Path(visit.fuzzer.folder), int(seconds))):
        visit.finding.breaches.append(breach)
    visit.finding.notes.append(run.told())
    if not run.calls:
        raise Unseen(f"schemathesis did not send anything in its time. Its output: {run.said[-300:]!r}")


@asynccontextmanager
async def started(*, is_wanted: bool) -> AsyncGenerator[Fuzzer | None]:
    """The fuzzer's process, which ends with the block. It takes seconds to start; meanwhile other laws are tried."""
    if not is_wanted or find_spec("schemathesis") is None:
        yield None
        return
    packages = os.pathsep.join(filter(None, [str(_PACKAGES), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "chat_verify.fuzzer"),
            cwd=folder,
            env=os.environ | {"PYTHONPATH": packages},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            start_new_session=True,  # Ctrl-C must reach only the reporting process
        )
        try:
            yield Fuzzer(process, folder)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def ready(fuzzer: Fuzzer | None) -> float:
    """Wait until the fuzzer has started. Returns the seconds waited."""
    began = monotonic()
    if fuzzer is not None and fuzzer.process.stderr:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                async for line in fuzzer.process.stderr:
                    if line.startswith(b'{"ready"'):
                        break
    return monotonic() - began


def _arguments(visit: Visit, folder: Path, seconds: int) -> Sequence[str]:
    place = visit.target.place
    text = contract.text()
    if place.key:  # then schemathesis also checks that operations require it
        text = text.replace(_OPTIONAL, "\nsecurity:\n")
    (folder / "openapi.yaml").write_text(text, "utf-8")
    (folder / "schemathesis.toml").write_text(_CONFIG, "utf-8")
    return [
        *("--config-file", "schemathesis.toml", "run", "openapi.yaml", "--url", place.url, "--seed", str(visit.seed)),
        *("--request-timeout", str(seconds + 60)),  # no stream is cut short: this is longer than the run
        *("--rate-limit", "auto", "--warnings", "off", "--no-color"),
        *_how_many(visit.max_examples, seconds),
        *(("--header", f"Authorization: Bearer {place.key}") if place.key else ()),
        *(("--tls-verify", place.ca) if place.ca else ()),
    ]


def _how_many(max_examples: int | None, seconds: int) -> Sequence[str]:
    """With a time limit, schemathesis ignores the number of examples."""
    match max_examples:
        case None:
            return "--max-time", str(seconds)
        case 0:
            return "--phases", "examples"
        case _:
            return "--max-examples", str(max_examples)


class _Run:
    """A run of the fuzzer, and its reports so far."""

    def __init__(self, visit: Visit, fuzzer: Fuzzer) -> None:
        self._visit = visit
        self._fuzzer = fuzzer
        self._target: Target = visit.target
        self._told_at = monotonic()
        self._failures: dict[str, dict[str, Any]] = {}
        self._lost = 0
        self._asked: dict[str, Request] = {}
        self.calls: Counter[str] = Counter()
        self.said = ""
        """Its output, for the case that it does not start."""

    def told(self) -> str:
        return ", ".join(f"{count} {call}" for call, count in sorted(self.calls.items()))

    async def breaches(self, arguments: Sequence[str]) -> list[Broken]:
        """Run it until it ends or the time is up."""
        process = self._fuzzer.process
        assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 - pipes, as asked for
        options = {
            "arguments": arguments,
            "messages_per_second": self._target.messages_per_second,
            "same_version": self._target.same_version,
        }
        process.stdin.write(json.dumps(options).encode())
        process.stdin.close()
        try:
            async with asyncio.timeout(max(0.0, self._visit.seconds_left() - 0.2)), asyncio.TaskGroup() as group:
                said = group.create_task(process.stdout.read())
                async for line in process.stderr:
                    self._take(line)
            self.said += said.result().decode("utf-8", "replace")
        except TimeoutError:
            self._visit.finding.notes.append("incomplete: time ran out")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            async for line in process.stderr:  # it has told what it sent last
                self._take(line)
        finally:
            self._target.unanswered |= self._asked
        return [_breach(title, failure) for title, failure in self._failures.items()]

    def _take(self, line: bytes) -> None:
        try:
            happened = json.loads(line)
        except ValueError:
            self.said += line.decode("utf-8", "replace")
            return
        if "failure" in happened:
            self._failures.setdefault(happened["failure"], happened)
        elif "message" in happened:
            headers = {"content-type": "application/json", "idempotency-key": happened["key"]}
            self._asked = {happened["key"]: Request("POST", happened["path"], headers, json.dumps(happened["message"]))}
        elif "hop" in happened:
            self._target.hops.setdefault(happened["hop"], happened["answered"])
        elif "lost" in happened:
            self._lost += 1
            if self._lost >= _LOST_AT_MOST:
                raise Unreachable(f"the fuzzer lost its connection {self._lost} times")
        else:
            self._call(happened)

    def _call(self, happened: dict[str, Any]) -> None:
        self._lost = 0
        self._asked = {}
        self._visit.finding.tried += 1
        self._target.requests += 1
        self._target.messages += happened["call"] in _MESSAGES
        self.calls[happened["call"]] += 1
        if happened["made"]:
            self._target.made.setdefault(happened["made"], "owner")
        self._target.made.pop(happened["deleted"], None)
        if monotonic() - self._told_at > _PROGRESS_SECONDS:
            self._told_at = monotonic()
            self._visit.say(f"document: {self._visit.finding.tried} requests")


def _breach(title: str, failure: dict[str, Any]) -> Broken:
    if title == hops.TITLE:
        return Broken(failure["request"], failure["account"], hops.REPLACES, law="statuses")
    message = " ".join(str(failure["account"]).split())[:600]
    came = f"{failure['status']} {failure['type']}: {message}"
    return Broken(failure["request"], came, f"openapi.yaml ({title})", law=_LAWS.get(title, "document"))
