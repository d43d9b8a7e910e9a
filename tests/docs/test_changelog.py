"""The changelog is about the contract that there is."""

import re
import tomllib

from tests.contract.document import DOCUMENT, PLACES
from tests.docs.readme import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_newest_version_is_the_contracts() -> None:
    """And the project's."""
    newest = re.findall(r"^## \[([^\]]+)\] - (?:Unreleased|\d{4}-\d\d-\d\d)$", CHANGELOG, re.MULTILINE)[0]
    assert newest == DOCUMENT["info"]["version"]
    assert newest == tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def test_every_operation_came_at_some_time() -> None:
    """Each is named, with its method."""
    assert [operation for operation in map(" ".join, PLACES.values()) if f"`{operation}`" not in CHANGELOG] == []


def test_changes_are_of_the_kinds_that_the_format_has() -> None:
    """Added, changed, and so on."""
    kinds = set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE))
    assert kinds
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
