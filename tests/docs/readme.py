"""Reads README.md: its sections, links and tables, its code blocks, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")

ADDRESS = "http://127.0.0.1:8000"
"""Where the README has the service."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)
_INSTALLS = re.compile(r"\bpip\b.* install ")


@dataclass(frozen=True, slots=True)
class Block:
    """A code block."""

    line: int
    section: str
    language: str
    text: str
    is_output: bool
    """Whether it stands right behind a block of commands, and so is what the last of them prints."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a reader pastes into a shell: one command or, where something is installed that it needs, a whole block."""

    line: int
    text: str
    """Without comments, and without the line breaks inside a command."""
    output: Block | None


def _blocks() -> Iterator[Block]:
    before: re.Match[str] | None = None
    for match in _BLOCK.finditer(TEXT):
        headings = _HEADING.findall(_BLOCK.sub("", TEXT[: match.start()]))
        is_output = (
            match[1] != "sh"
            and before is not None
            and before[1] == "sh"
            and not TEXT[before.end() : match.start()].strip()
        )
        line = TEXT.count("\n", 0, match.start()) + 1
        yield Block(line, headings[-1], match[1], match[2], is_output)
        before = match


BLOCKS = tuple(_blocks())
PROSE = _BLOCK.sub("", TEXT)
"""All but the code blocks."""
HEADINGS = tuple(_HEADING.findall(PROSE))


def _commands() -> Iterator[Command]:
    for block, following in zip(BLOCKS, [*BLOCKS[1:], None], strict=True):
        if block.language == "sh":
            lines = [shlex.split(line, comments=True) for line in block.text.replace("\\\n", " ").splitlines()]
            commands = [shlex.join(words) for words in lines if words]
            if any(map(_INSTALLS.search, commands)):
                commands = ["\n".join(commands)]
            for command in commands:
                is_last = command is commands[-1]
                output = following if is_last and following is not None and following.is_output else None
                yield Command(block.line, command, output)


COMMANDS = tuple(_commands())


def block(language: str, section: str) -> Block:
    """The one block of this language in a section, outputs not counted."""
    (found,) = [b for b in BLOCKS if (b.language, b.section) == (language, section) and not b.is_output]
    return found


def table(section: str) -> list[list[str]]:
    """The cells of a section's one table, its head left out."""
    _, _, rest = PROSE.partition(f"## {section}\n")
    rows = [row.split(" | ") for row in _ROW.findall(rest.partition("\n## ")[0])]
    return rows[1:]


def anchor(heading: str) -> str:
    """The fragment by which one links to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
