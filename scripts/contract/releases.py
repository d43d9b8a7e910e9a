"""Which contracts were released, and which versions may follow them.

Each release keeps its contract in `generated/released/VERSION.yaml`: tags are not in every copy of a repository.
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
    """How much a change changes for those who use the API."""

    PATCH = 1
    MINOR = 2
    MAJOR = 3


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version as Semantic Versioning has it, but for labels of pre-releases and builds, which we do not use."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Raises `ValueError`."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"'{text}' is no version: three numbers with dots between them")
        return cls(*map(int, match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def after(self, impact: Impact) -> "Version":
        """The least version that may follow. Before 1.0.0, the number further right is raised."""
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
    """What the document says of itself. Raises `ValueError`."""
    return Version.parse(str(Document.read(contract).root["info"]["version"]))


def released_contract(root: Path, version: Version) -> Path:
    """Where it is, or would be."""
    return root / "generated" / "released" / f"{version}.yaml"


def last_released(root: Path) -> Path | None:
    """The contract of the highest version that was released."""
    found = released_contract(root, Version(0, 0, 0)).parent.glob("*.yaml")
    return max(found, key=lambda path: Version.parse(path.stem), default=None)


def changelogs_releases(changelog: str) -> dict[Version, dt.date | None]:
    """The versions that CHANGELOG.md has, the newest first, and when they were released. Raises `ValueError`."""
    return {
        Version.parse(version): None if date == UNRELEASED else dt.date.fromisoformat(date)
        for version, date in _HEADING.findall(changelog)
    }
