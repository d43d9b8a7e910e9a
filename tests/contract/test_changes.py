"""A contract that breaks the released one must say so by its version; and how contracts are released."""

import datetime as dt
import json
from pathlib import Path

import pytest

from scripts.contract.changes import Change, changes, seen
from scripts.contract.compare import complaint
from scripts.contract.directions import judged
from scripts.contract.documents import Document
from scripts.contract.overlooked import overlooked
from scripts.contract.release import CannotRelease, release
from scripts.contract.releases import Impact, Version, released_contract
from tests.contract import compatible, released
from tests.contract.document import CLOSED, DOCUMENT, ROOT
from tests.contract.released import BREAKING, OVERLOOKED, RELEASED, Contract, changed

TODAY = dt.date(2026, 11, 23)


def project(folder: Path, before: Contract | None, now: Contract, *, unreleased: bool = True) -> Path:
    """A folder with a contract, a matching changelog and, optionally, a released contract."""
    sections = []
    if before:
        version = Version.parse(before["info"]["version"])
        kept = released_contract(folder, version)
        kept.parent.mkdir(parents=True)
        kept.write_text(json.dumps(before), "utf-8")
        sections = [f"## [{version}] - 2026-01-31\n\n- Old.\n\n[{version}]: {kept.relative_to(folder).as_posix()}\n"]
    folder.mkdir(exist_ok=True)
    (folder / "openapi.yaml").write_text(json.dumps(now), "utf-8")
    version = now["info"]["version"]
    if unreleased:
        sections.insert(0, f"## [{version}] - Unreleased\n\n- New.\n\n[{version}]: openapi.yaml\n")
    (folder / "CHANGELOG.md").write_text("\n".join(["# Changelog\n", *sections]), "utf-8")
    return folder


def before_in(folder: Path) -> Path:
    """The released contract in a project's folder."""
    return released_contract(folder, Version.parse(RELEASED["info"]["version"]))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Change]:
    """The changes when everything breaks at once: each has its own message, and a comparison is slow."""
    folder = project(tmp_path_factory.mktemp("changes"), RELEASED, changed(*BREAKING))
    return changes(before_in(folder), folder / "openapi.yaml")


@pytest.mark.parametrize("what", BREAKING.values(), ids=[change.__name__ for change in BREAKING])
def test_what_breaks_a_client_is_found(what: str, found: list[Change]) -> None:
    """With its impact, and a message that says what it is."""
    assert [told.impact for told in found if told.what == what] == [Impact.MAJOR]


@pytest.mark.parametrize(("change", "told"), OVERLOOKED.items(), ids=[change.__name__ for change in OVERLOOKED])
def test_what_the_tool_overlooks_is_found_too(change: released.Change, told: tuple[str, str]) -> None:
    """By our own rules."""
    assert told in list(overlooked(Document(RELEASED), Document(changed(change))))


@pytest.mark.parametrize(("has_room", "impact"), [(True, Impact.MINOR), (False, Impact.MAJOR)])
def test_a_new_event_breaks_nobody_who_was_told_to_expect_others(*, has_room: bool, impact: Impact) -> None:
    """If the contract did not mention other events, it does."""
    union = "#/components/schemas/ReplyEvent/anyOf/3"
    told = {
        "path": "#/paths/~1api~1chat/post/responses/200/content/text~1event-stream/schema/items/anyOf/3",
        "kind": "added",
        "verdicts": [{"ruleId": "schema-combinator-changed", "impact": "major", "message": "More."}],
        "revision": {"pointer": union},
    }
    assert list(judged(Document(DOCUMENT if has_room else CLOSED), told, Document(DOCUMENT))) == [(impact, "More.")]


def test_the_tool_overlooks_it_still(tmp_path: Path) -> None:
    """Otherwise our rule can be removed."""
    types: list[released.Change] = [released.without_types_of_events, released.without_a_type_of_the_stream]
    others = [change for change in OVERLOOKED if change not in types]  # they report what these remove
    for name, at_once in (("types", types), ("others", others)):
        folder = project(tmp_path / name, RELEASED, changed(*at_once))
        assert [told for told in seen(before_in(folder), folder / "openapi.yaml") if told[0] is Impact.MAJOR] == []


def test_a_change_that_breaks_nothing_needs_no_new_version(tmp_path: Path) -> None:
    """Until it is released."""
    assert complaint(project(tmp_path, RELEASED, changed(*compatible.COMPATIBLE), unreleased=False)) == ""


@pytest.mark.parametrize(
    ("before", "now", "is_enough"),
    [
        ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.1.9", False),
        ("0.1.0", "0.2.0", True),
        ("1.2.3", "1.3.0", False),
        ("1.2.3", "2.0.0", True),
    ],
)
def test_a_breaking_change_needs_a_version_that_says_so(
    tmp_path: Path, before: str, now: str, *, is_enough: bool
) -> None:
    """Before 1.0.0, the second number; then the first. The message has the list, and the next step."""
    contract = changed(released.without_a_status, released.without_a_problem, version=now)
    said = complaint(project(tmp_path, changed(version=before), contract, unreleased=now != before))
    assert (said == "") is is_enough
    if not is_enough:
        least = "0.2.0" if before == "0.1.0" else "2.0.0"
        assert said.splitlines() == [
            f"openapi.yaml has version {now} and breaks the released version {before}:",
            "  POST /api/chat 409: Response `409` was removed.",
            "  Problems: The problem `urn:problem:reply-not-found` was removed.",
            f"Next: undo these changes, or raise the version to at least {least} in openapi.yaml and CHANGELOG.md.",
        ]


def test_a_version_does_not_go_back(tmp_path: Path) -> None:
    """Not even without a change."""
    assert "lower than the last release" in complaint(project(tmp_path, RELEASED, changed(version="0.0.9")))


def test_a_release_is_in_both_places(tmp_path: Path) -> None:
    """Deleting the released contract, or not keeping it, does not help."""
    folder = project(tmp_path, RELEASED, changed())
    before_in(folder).unlink()
    assert "but missing in generated/released/" in complaint(folder)


def test_a_release_keeps_the_contract_and_has_a_date(tmp_path: Path) -> None:
    """From then on, the contract is compared with it; and it is not released twice."""
    folder = project(tmp_path, None, changed(version="0.1.0"))
    assert complaint(folder) == ""
    assert release(folder, TODAY) == Version(0, 1, 0)
    kept = folder / "generated" / "released" / "0.1.0.yaml"
    assert kept.read_bytes() == (folder / "openapi.yaml").read_bytes()
    changelog = (folder / "CHANGELOG.md").read_text("utf-8")
    assert changelog == "# Changelog\n\n## [0.1.0] - 2026-11-23\n\n- New.\n\n[0.1.0]: generated/released/0.1.0.yaml\n"
    assert complaint(folder) == ""
    with pytest.raises(CannotRelease, match=r"0\.1\.0 - 2026-11-23"):
        release(folder, TODAY)


@pytest.mark.parametrize(
    ("before", "impact", "least"),
    [
        ("1.2.3", Impact.PATCH, "1.2.4"),
        ("1.2.3", Impact.MINOR, "1.3.0"),
        ("1.2.3", Impact.MAJOR, "2.0.0"),
        ("0.2.3", Impact.PATCH, "0.2.4"),
        ("0.2.3", Impact.MINOR, "0.2.4"),
        ("0.2.3", Impact.MAJOR, "0.3.0"),
    ],
)
def test_the_least_version_is_as_semantic_versioning_has_it(before: str, impact: Impact, least: str) -> None:
    """Before 1.0.0, the next lower number."""
    assert str(Version.parse(before).after(impact)) == least


def test_a_release_has_a_version_that_fits(tmp_path: Path) -> None:
    """An addition raises the second number; nothing is written if the version is too low."""
    before = changed(version="1.2.3")
    low = project(tmp_path / "low", before, changed(compatible.with_an_operation, version="1.2.4"))
    with pytest.raises(CannotRelease, match=r"at least 1\.3\.0(.|\n)*/api/version"):
        release(low, TODAY)
    assert sorted(path.name for path in low.rglob("*.*")) == ["1.2.3.yaml", "CHANGELOG.md", "openapi.yaml"]
    assert "1.2.4] - Unreleased" in (low / "CHANGELOG.md").read_text("utf-8")
    right = project(tmp_path / "right", before, changed(compatible.with_an_operation, version="1.3.0"))
    assert release(right, TODAY) == Version(1, 3, 0)


def test_the_project_obeys() -> None:
    """As checked by `scripts/check`, which runs this as a program."""
    assert "-m scripts.contract.compare\n" in (ROOT / "scripts" / "check").read_text("utf-8")
    assert complaint(ROOT) == ""
