"""The released contracts, and which versions may follow them.

Each release has its contract in `generated/released/VERSION.yaml`, because not every clone of a repository has tags.
"""

import datetime as dt
import re
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from scripts.contract.documents import Document

UNRELEASED = "Unreleased"

_HEADING = re.compile(rf"^## \[([^\]]+)\] - ({UNRELEASED}|\d{{4}}-\d\d-\d\d)$", re.MULTILINE)
_FORM = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


class Impact(IntEnum):
    """How a change affects users of the API."""

    PATCH = 1
    MINOR = 2
    MAJOR = 3


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version according to Semantic Versioning, without labels for pre-releases and builds, which we do not use."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Raises `ValueError`."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"'{text}' is not a version: three numbers separated by dots")
        return cls(*map(int, match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def after(self, impact: Impact) -> "Version":
        """The lowest version that may follow. Before 1.0.0, the next lower number is raised instead."""
        if not self.major:
            impact = Impact(max(impact - 1, Impact.PATCH))
        match impact:
            case Impact.MAJOR:
                return Version(self.major + 1, 0, 0)
            case Impact.MINOR:
                return Version(self.major, self.minor + 1, 0)
            case Impact.PATCH:
                return Version(self.major, self.minor, self.patch + 1)


def version_of(contract: Path) -> Version:
    """The version in the document. Raises `ValueError`."""
    return Version.parse(str(Document.read(contract).root["info"]["version"]))


def released_contract(root: Path, version: Version) -> Path:
    """The path of a released contract, whether or not it exists."""
    return root / "generated" / "released" / f"{version}.yaml"


def last_released(root: Path) -> Path | None:
    """The released contract with the highest version."""
    found = released_contract(root, Version(0, 0, 0)).parent.glob("*.yaml")
    return max(found, key=lambda path: Version.parse(path.stem), default=None)


def changelogs_releases(changelog: str) -> dict[Version, dt.date | None]:
    """The versions in CHANGELOG.md, newest first, with their release dates. Raises `ValueError`."""
    return {
        Version.parse(version): None if date == UNRELEASED else dt.date.fromisoformat(date)
        for version, date in _HEADING.findall(changelog)
    }
