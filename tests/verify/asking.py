"""Runs the verifier, as a function or as a command."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from chat_verify.findings import Report, Verdict
from chat_verify.reports.text import as_text
from chat_verify.target import Place
from chat_verify.trying import LAWS, Options, verify
from tests.support.databases import fresh_database_url
from tests.support.keys import made_key
from tests.verify.places import PACKAGE

PATIENCE_SECONDS = 180.0
SECONDS = 100.0
"""For all laws. They need only a few: each is done when it has seen enough, but machines may be busy."""
FAST = 200.0
"""Messages per second: the service under test has no other users."""
EXAMPLES = 0
"""Generated requests per operation: the document's examples are enough for the faults here."""
QUICK = tuple(law.name for law in LAWS if law.name != "document")
"""All laws except the one that takes as long as it is given."""


async def verified(
    place: Place, *laws: str, seed: int = 1, seconds: float = SECONDS, heartbeat_seconds: float = 0.3
) -> Report:
    """The report after trying these laws."""
    options = Options(place, seed, seconds, FAST, heartbeat_seconds, EXAMPLES, laws)
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await verify(options, lambda _line: None)


def verdicts(report: Report) -> dict[str, str]:
    """The verdict of each law; with the whole report, for failures."""
    assert not report.unreachable, as_text(report)
    return {name: finding.verdict.value for name, finding in report.findings.items()}


def unseen(report: Report) -> set[str]:
    """The laws that could not be seen."""
    return {name for name, finding in report.findings.items() if finding.verdict is Verdict.UNSEEN}


async def two_keys() -> tuple[str, str, str]:
    """A database with two keys of different names."""
    url = fresh_database_url()
    return url, (await made_key(url, "somebody"))[0], (await made_key(url, "somebody-else"))[0]


def command(*arguments: str) -> list[str]:
    """The command of `scripts/verify`."""
    return [sys.executable, "-P", "-m", "chat_verify", *arguments]


def environment(**more: str) -> dict[str, str]:
    """Its environment."""
    return os.environ | {"PYTHONPATH": str(PACKAGE)} | more


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end in a temporary folder; `more` is added to its environment."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
