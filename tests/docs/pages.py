"""Parses README.md and the pages in docs/: sections, tables and code blocks, and the commands in these."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_DOCS = ROOT / "docs"

ADDRESS = "http://127.0.0.1:8000"
"""The service's URL in the pages."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_TABLE = re.compile(r"(?:^\|.*\|\n)+", re.MULTILINE)
_COMMENT = re.compile(r"\s+# .*$", re.MULTILINE)
_INSTALLS = re.compile(r"\bpip\b.* install ")
_SAVED = re.compile(r"\bas `([\w/.-]+)`:\Z")


@dataclass(frozen=True, slots=True)
class Block:
    """A code block."""

    line: int
    section: str
    language: str
    text: str
    is_output: bool
    """Whether it directly follows a block of commands, and so is the output of the last one."""
    file: str
    """The file that the prose before it tells the reader to save it to; empty if none."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a reader pastes into a shell: one command or, if an installation must come first, a whole block."""

    line: int
    text: str
    """Without comments, and without line breaks inside a command."""
    output: Block | None


class Page:
    """A file of documentation."""

    def __init__(self, path: Path) -> None:
        """Parse it."""
        self.path = path
        self.name = str(path.relative_to(_DOCS)) if path.is_relative_to(_DOCS) else path.name
        self.text = path.read_text("utf-8")
        self.prose = _BLOCK.sub("", self.text)
        """Everything except code blocks."""
        self.headings = tuple(_HEADING.findall(self.prose))
        self.blocks = tuple(self._blocks())

    def block(self, language: str, section: str) -> Block:
        """The only block of this language in a section, outputs excluded."""
        (found,) = self.all_blocks(language, section)
        return found

    def all_blocks(self, language: str, section: str) -> list[Block]:
        """All blocks of this language in a section, outputs excluded."""
        return [b for b in self.blocks if (b.language, b.section) == (language, section) and not b.is_output]

    def section(self, heading: str) -> str:
        """The prose of a second-level section, including subsections."""
        _, found, rest = self.prose.partition(f"\n## {heading}\n")
        assert found, f"{self.name} has no section {heading}"
        return rest.partition("\n## ")[0]

    def tables(self, heading: str) -> list[list[list[str]]]:
        """The cells of each table in a section, without the heads."""
        return _tables(self.section(heading))

    def all_tables(self) -> list[list[list[str]]]:
        """The page's commands."""
        return _tables(self.prose)

    @cached_property
    def files(self) -> dict[str, str]:
        """What the page tells the reader to save, by file."""
        return {block.file: block.text for block in self.blocks if block.file}

    def commands(self, block: Block) -> Iterator[Command]:
        """The commands in a block."""
        following = next((b for b in self.blocks if b.line > block.line), None)
        output = following if following is not None and following.is_output else None
        texts = list(_commands(block.text))
        for number, text in enumerate(texts, 1):
            yield Command(block.line, text, output if number == len(texts) else None)

    def _blocks(self) -> Iterator[Block]:
        before: re.Match[str] | None = None
        for match in _BLOCK.finditer(self.text):
            prose = _BLOCK.sub("", self.text[: match.start()])
            between = self.text[before.end() if before else 0 : match.start()].strip()
            is_output = match[1] not in {"sh", "bash"} and before is not None and before[1] == "sh" and not between
            saved = _SAVED.search(between)
            line = self.text.count("\n", 0, match.start()) + 1
            yield Block(
                line, _HEADING.findall(prose)[-1], match[1], match[2], is_output, file=saved[1] if saved else ""
            )
            before = match


def _tables(prose: str) -> list[list[list[str]]]:
    return [
        [row.removeprefix("| ").removesuffix(" |").split(" | ") for row in table.splitlines()[2:]]
        for table in _TABLE.findall(prose)
    ]


def _commands(text: str) -> Iterator[str]:
    text = _COMMENT.sub("", text)
    if _INSTALLS.search(text):
        yield text.rstrip()
        return
    command = ""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        command = f"{command}\n{line}" if command else line
        if command.strip() and _is_whole(command):
            yield command
            command = ""
    assert not command, f"not a whole command: {command}"


def _is_whole(command: str) -> bool:
    return (
        subprocess.run(["sh", "-n"], input=command, encoding="utf-8", capture_output=True, check=False).returncode == 0
    )


README = Page(ROOT / "README.md")
PAGES = {page.name: page for page in [README, *map(Page, sorted(_DOCS.rglob("*.md")))]}
"""By file name, below `docs`."""
