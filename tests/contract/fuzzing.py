"""Runs schemathesis like its users do: from its command line, against a running server.

`CONTRACT_SEED` repeats a run, `CONTRACT_MAX_EXAMPLES` makes it longer: this many random cases per operation.
"""

import json
import os
import random
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.contract.checks import OTHERS_KEY
from tests.contract.document import CLOSED, CONFIG, ROOT
from tests.support.forks import fork
from tests.support.keys import bearer

SEED = int(os.environ.get("CONTRACT_SEED", random.SystemRandom().randrange(2**32)))
MAX_EXAMPLES = int(os.environ.get("CONTRACT_MAX_EXAMPLES", "10"))

_TOOL = (
    "schemathesis.cli.commands.run",
    "schemathesis.cli.executor",
    "schemathesis.engine.core",
    "schemathesis.engine.run.unit",
)
"""Nothing of the tests: a fork is what `schemathesis` itself would be."""
_IMPORTED = (
    *_TOOL,
    "schemathesis.pytest",
    "tests.contract.document",  # imported by tests.contract.checks, which changes the behaviour of schemathesis
    "tests.support.keys",
)

_WARNING = re.compile("^  \u26a0\ufe0f *(.+)$", re.MULTILINE)
_LINKS = re.compile(r"API Links: +([0-9]+) covered / ([0-9]+) selected / [0-9]+ total(?: \(([0-9]+) inferred\))?")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a run."""

    exit_status: int
    cases: int
    failures: tuple[str, ...]
    """Titles of failures, such as `Undocumented status code`."""
    warnings: tuple[str, ...]
    """As in the final summary."""
    phases: tuple[str, ...]
    """The checks that ran."""
    links: tuple[int, ...]
    """How many links it followed, how many there are, and how many of them it inferred."""
    output: str


def closed_document(folder: Path) -> str:
    """The document with only what this version sends, without room for later versions."""
    return _written(folder / "closed.json", CLOSED)


def locked_document(folder: Path) -> str:
    """The same for a service that requires credentials: anonymous access is no longer an alternative.

    schemathesis checks that operations require credentials only if the document has no alternative.
    """
    ways = [way for way in CLOSED["security"] if way]
    if len(ways) == len(CLOSED["security"]):
        raise AssertionError("the document has another way to say that credentials are optional")
    return _written(folder / "locked.json", CLOSED | {"security": ways})


def typed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The result of `schemathesis run` with nothing but the document."""
    command = ("run", *arguments)
    process = fork("schemathesis.cli", command, os.environ, folder, _TOOL)
    with process.stdout:
        output = process.stdout.read()
    return subprocess.CompletedProcess(command, process.wait(), output)


def _written(path: Path, document: dict[str, Any]) -> str:
    path.write_text(json.dumps(document), "utf-8")
    return str(path)


class Fuzzing:
    """A running schemathesis, which ends with the block."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *options: str,
        document: str,
        keys: tuple[str, str] | None = None,
        config: str = "",
    ) -> None:
        """`folder` gets its output files; `config` is added to the configuration.

        The first of the `keys` is sent with each request; the second one must not open anything created with the first
        (`checks.what_is_anothers_is_as_nothing`).
        """
        self._report = folder / "report.json"
        configured = folder / "schemathesis.toml"
        configured.write_text(CONFIG.read_text("utf-8") + config, "utf-8")
        signed = ["--header", f"Authorization: {bearer(keys[0])}"] if keys else []
        arguments: Sequence[str] = [
            *("--config-file", str(configured), "run", document, "--url", url, "--no-color"),
            *("--report-json-path", str(self._report), *signed, *options),
        ]
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({OTHERS_KEY: keys[1]} if keys else {})
        self._process = fork("schemathesis.cli", arguments, environment, folder, _IMPORTED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def verdict(self) -> Verdict:
        """Wait for the end."""
        output = self._process.stdout.read()
        status = self._process.wait()
        if not self._report.exists():
            raise AssertionError(f"schemathesis ended with {status} and no report:\n{output}")
        report: dict[str, Any] = json.loads(self._report.read_text("utf-8"))
        links = _LINKS.search(output)
        return Verdict(
            status,
            report["test_cases"]["generated"],
            tuple(failure["title"] for failure in report["failures"]),
            tuple(_WARNING.findall(output)),
            tuple(name for name, phase in report["phases"].items() if phase["status"] != "skip"),
            tuple(int(count or 0) for count in links.groups()) if links else (),
            output,
        )
