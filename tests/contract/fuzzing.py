"""Runs schemathesis as its users do: its command line, against a server that runs.

`CONTRACT_SEED` repeats a run, `CONTRACT_MAX_EXAMPLES` makes it longer: so many random cases an operation.
"""

import json
import os
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.contract.checks import OTHERS_KEY
from tests.contract.document import CONFIG, ROOT, TEXT
from tests.support.forks import fork
from tests.support.keys import bearer

SEED = int(os.environ.get("CONTRACT_SEED", random.SystemRandom().randrange(2**32)))
MAX_EXAMPLES = int(os.environ.get("CONTRACT_MAX_EXAMPLES", "80"))

_IMPORTED = (
    "schemathesis.cli.commands.run",
    "schemathesis.cli.executor",
    "schemathesis.engine.core",
    "schemathesis.engine.run.unit",
    "schemathesis.pytest",
    "tests.contract.calls",  # what tests.contract.checks imports; that itself changes what schemathesis does
    "tests.contract.document",
    "tests.support.keys",
)

_OPTIONAL = "\nsecurity:\n  - {}\n"
_WARNING = re.compile("^  \u26a0\ufe0f *(.+)$", re.MULTILINE)
_LINKS = re.compile("API Links: +([0-9]+) covered / ([0-9]+) selected")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended."""

    exit_status: int
    cases: int
    failures: tuple[str, ...]
    """Titles, e.g. `Undocumented status code`."""
    warnings: tuple[str, ...]
    """As the summary at the end has them."""
    phases: tuple[str, ...]
    """Those that ran."""
    links: tuple[int, int]
    """How many it followed, of how many."""
    output: str


def locked_document(folder: Path) -> str:
    """The document of a service that asks for credentials: there, to have none is no alternative any more.

    schemathesis looks for operations that forget to ask only where the document leaves no choice.
    """
    if TEXT.count(_OPTIONAL) != 1:
        raise AssertionError("the document has another way to say that credentials are optional")
    path = folder / "locked.yaml"
    path.write_text(TEXT.replace(_OPTIONAL, "\nsecurity:\n"), "utf-8")
    return str(path)


class Fuzzing:
    """A run of schemathesis that has been started. It does not outlive the block."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *options: str,
        document: str = "",
        config: Path | None = CONFIG,
        keys: tuple[str, str] | None = None,
    ) -> None:
        """`folder` takes what it writes; `document` is openapi.yaml unless given.

        Of the `keys`, the first one is shown with each request; who has the second one must see nothing of what comes
        of it (`checks.what_is_anothers_is_as_nothing`).
        """
        self._report = folder / "report.json"
        configured = ["--config-file", str(config)] if config else []
        signed = ["--header", f"Authorization: {bearer(keys[0])}"] if keys else []
        arguments: Sequence[str] = [
            *configured,
            *("run", document or str(ROOT / "openapi.yaml"), "--url", url, "--no-color"),
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
            (int(links[1]), int(links[2])) if links else (0, 0),
            output,
        )
