"""The changelog is about the contract that there is."""

import re
import tomllib

from scripts.contract.releases import changelogs_releases, version_of
from tests.contract.document import DOCUMENT, PLACES
from tests.docs.pages import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")


RELEASES = changelogs_releases(CHANGELOG)
"""The date of each version, the newest first; none of what is not released."""


def test_the_newest_version_is_the_contracts() -> None:
    """And the project's."""
    newest = str(next(iter(RELEASES)))
    assert newest == DOCUMENT["info"]["version"]
    assert newest == tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def test_every_section_is_a_version_with_its_date_and_says_something() -> None:
    """The newest first. Only that may be yet to come; above it may be what changes no contract."""
    headings = re.findall(r"^## \[.*$", CHANGELOG, re.MULTILINE)
    dates = [date for date in RELEASES.values() if date]
    assert len(headings) == len(RELEASES)
    assert list(RELEASES) == sorted(RELEASES, reverse=True)
    assert dates == sorted(dates, reverse=True)
    assert None not in list(RELEASES.values())[1:]
    for section in re.split("^## .*$", CHANGELOG, flags=re.MULTILINE)[1:]:
        assert re.search("^- ", section, re.MULTILINE), section


def test_every_version_leads_to_its_contract() -> None:
    """To the one that was kept or, before the release, to the one that is being made."""
    links = dict(re.findall(r"^\[([0-9.]+)\]: (.+)$", CHANGELOG, re.MULTILINE))
    assert links.keys() == set(map(str, RELEASES))
    for version, date in RELEASES.items():
        assert links[str(version)] == (f"generated/released/{version}.yaml" if date else "openapi.yaml")
        assert version_of(ROOT / links[str(version)]) == version


def test_every_operation_came_at_some_time() -> None:
    """Each is named, with its method."""
    assert [operation for operation in map(" ".join, PLACES.values()) if f"`{operation}`" not in CHANGELOG] == []


def test_changes_are_of_the_kinds_that_the_format_has() -> None:
    """Added, changed, and so on."""
    kinds = set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE))
    assert kinds
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
