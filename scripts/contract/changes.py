"""Compares two contracts, including the stream: `redocly diff`, plus what it misses, minus what it misjudges."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.contract.directions import judged
from scripts.contract.documents import Document
from scripts.contract.overlooked import overlooked
from scripts.contract.releases import Impact

_RUN = Path(__file__).parent.parent / "node" / "run"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed."""

    impact: Impact
    what: str
    places: tuple[str, ...]
    """Operations, with the status for a change of a response, or other parts of the document. The first may represent
    others that use the same component."""


class CannotCompare(Exception):
    """The tool failed; the message is its output."""


def changes(before: Path, after: Path) -> list[Change]:
    """What changed, the worst first.

    Raises `CannotCompare`.
    """
    found: dict[tuple[Impact, str], list[str]] = {}
    for impact, place, what in (*seen(before, after), *_overlooked(before, after)):
        found.setdefault((impact, what), []).append(place)
    told = (Change(impact, what, tuple(places)) for (impact, what), places in found.items())
    return sorted(told, key=lambda change: -change.impact)


def seen(before: Path, after: Path) -> Iterator[tuple[Impact, str, str]]:
    """The changes that `redocly diff` reports, with corrected impact: impact, place, what. Raises `CannotCompare`."""
    done = subprocess.run(
        [_RUN, "redocly", "diff", before, after, "--format", "json", "--fail-on", "none"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0 or not done.stdout:
        raise CannotCompare(done.stderr)
    old, new = Document.read(before), Document.read(after)
    for change in json.loads(done.stdout)["changes"]:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in change["path"].split("/")[1:]]
        for impact, what in judged(old, change, new):
            yield impact, _place(parts), what


def _overlooked(before: Path, after: Path) -> Iterator[tuple[Impact, str, str]]:
    for place, what in overlooked(Document.read(before), Document.read(after)):
        yield Impact.MAJOR, place, what


def _place(parts: Sequence[str]) -> str:
    match parts:
        case ["paths", path, "parameters" | "summary" | "description" | "servers", *_] | ["paths", path]:
            return path
        case ["paths", path, method, "responses", status, *_]:
            return f"{method.upper()} {path} {status}"
        case ["paths", path, method, *_]:
            return f"{method.upper()} {path}"
        case _:
            return "/".join(parts[:3])
