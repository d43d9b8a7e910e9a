"""Reads the page about SDKs: its tables and the code of its two recommended clients."""

import re
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent
_PAGE = _ROOT / "docs" / "sdks.md"
_README = _ROOT / "README.md"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

ADDRESS = "http://127.0.0.1:8000"
"""Where the page has the service."""


def _text() -> str:
    if _PAGE.exists():
        return _PAGE.read_text("utf-8")
    return _README.read_text("utf-8").partition("## SDKs\n")[2].partition("\n## ")[0]


TEXT = _text()
PROSE = _BLOCK.sub("", TEXT)
"""All but the code blocks."""


def blocks(language: str) -> list[str]:
    """The code blocks in this language."""
    return [text for its_language, text in _BLOCK.findall(TEXT) if its_language == language]


def table(first_cell: str) -> list[list[str]]:
    """The cells of the table whose head begins with this cell, the head left out."""
    _, _, rest = PROSE.partition(f"| {first_cell} |")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [line.strip("| ").split(" | ") for line in lines]
