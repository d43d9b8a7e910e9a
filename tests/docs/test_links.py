"""Every link in a Markdown file works: to a file, a heading, a picture, or a page of the service."""

import re
import subprocess
from functools import cache
from pathlib import Path

import httpx
import pytest

from tests.docs.pages import ADDRESS, PAGES, ROOT, Page
from tests.support.server import LiveServer

_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
_ABSOLUTE = re.compile(r"(https?|mailto):")
_LEFT_OUT = {".git", ".venv", "build", "node_modules", ".pytest_cache", ".hypothesis"}


def _markdown() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.md") if not _LEFT_OUT.intersection(path.relative_to(ROOT).parts))


@cache
def _page(path: Path) -> Page:
    return Page(path)


def _anchors(page: Page) -> set[str]:
    """The fragments that link to its headings, as on GitHub."""
    anchors: set[str] = set()
    for heading in page.headings:
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        numbers = (f"{name}-{n}" if n else name for n in range(100))
        anchors.add(next(anchor for anchor in numbers if anchor not in anchors))
    return anchors


@pytest.mark.parametrize("path", _markdown(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    """To a file of this project, and to a heading in it."""
    page = _page(path)
    for target in (first or second for first, second in _LINK.findall(page.prose)):
        if _ABSOLUTE.match(target):
            continue
        name, _, fragment = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.is_relative_to(ROOT), target
        assert file.exists(), target
        if fragment:
            assert fragment in _anchors(_page(file)), target


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_a_contents_list_has_every_section(page: Page) -> None:
    """If a page has one, in order."""
    linked = re.findall(r"^- \[[^\]]+\]\(#([^)]+)\)$", page.text, re.MULTILINE)
    sections = re.findall(r"^## (.+)$", page.prose, re.MULTILINE)
    if linked:
        assert linked == [re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in sections]


def test_every_page_is_reached_from_the_readme() -> None:
    """By its own link."""
    linked = {first for first, _ in _LINK.findall(PAGES["README.md"].prose)}
    assert {f"docs/{name}" for name in PAGES if name != "README.md"} <= linked


def test_every_address_on_this_machine_is_served() -> None:
    """Those in the pages, which a reader opens in a browser."""
    addresses = {path for page in PAGES.values() for path in re.findall(f"<{ADDRESS}(/[^>]*)>", page.prose)}
    assert "/" in addresses
    with LiveServer("greeter") as server:
        for path in addresses:
            assert httpx.get(server.url + path, trust_env=False).status_code == 200, path


def test_nothing_that_is_checked_in_is_left_out() -> None:
    """Git has no Markdown file that is not checked here."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    if listed.returncode != 0:
        pytest.skip("this is no checkout of Git")
    assert {ROOT / name for name in listed.stdout.split()} <= set(_markdown())
