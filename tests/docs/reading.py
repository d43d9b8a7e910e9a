"""A reader going through a page: in one shell session, in a copy of the project, with the services it starts."""

import re
import shutil
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import pytest

from tests.docs.machine import Machine, Service
from tests.docs.pages import ADDRESS, Block, Command, Page
from tests.support import node

_MASKS = [
    (re.compile(r"chat_[0-9a-f]{16}_[\w-]{43}"), "<key>"),
    (re.compile(r'(?<="next_cursor":")[0-9]{13}(?=-)'), "<position>"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"), "<time>"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "<day>"),
    (re.compile(r"^[0-9a-f]{16} ", re.MULTILINE), "<key's id> "),
]
_ID = re.compile("[0-9a-f]{32}")
_REFUSED = re.compile('"type": ?"urn:problem:')


class Reader:
    """Starts from nothing: the folder has only the project, prepared. A context manager."""

    def __init__(self, machine: Machine, page: Page) -> None:
        """`page` is the page to read."""
        self._machine = machine
        self._page = page
        self._stack = ExitStack()
        self._service: Service | None = None
        self.folder = machine.checkout(page.name, prepared=True)

    def __enter__(self) -> Self:
        self._shell = self._stack.enter_context(self._machine.shell(self.folder))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._stack.close()

    def save(self, block: Block) -> None:
        """Save a file, as the page says."""
        path = self.folder / block.file
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, "utf-8")

    def serve(self, command: str) -> Service:
        """Start a service, as in another terminal, replacing the one before."""
        self._stop()
        self._service = self._machine.start(command, self.folder)
        return self._service

    def run(self, text: str) -> str:
        """The output of a command. Raises `AssertionError` if it fails."""
        if ADDRESS in text:
            if re.search(r"\bcurl\b", text) and shutil.which("curl") is None:
                pytest.skip("there is no curl on this machine")
            service = self._service or self.serve("scripts/serve")
            text = text.replace(ADDRESS, service.url)
        return self._shell.run(text)

    def follow(self, command: Command) -> None:
        """Check that the output is what the page shows or, if it shows nothing, at least not a problem."""
        printed = self.run(command.text)
        if command.output is None:
            assert not _REFUSED.search(printed), printed
            return
        shown = "".join("(.*\n)*" if line == "..." else re.escape(f"{line}\n") for line in _lines(command.output.text))
        assert re.fullmatch(shown, "".join(f"{line}\n" for line in _lines(printed))), printed

    def program(self, block: Block) -> str:
        """The output of a snippet."""
        match block.language:
            case "python":
                name, runs = "snippet.py", ".venv/bin/python"
            case _:
                name, runs = "snippet.mjs", "node"
        service = self._service or self.serve("scripts/serve")
        (self.folder / name).write_text(block.text.replace(ADDRESS, service.url), "utf-8")
        return self._shell.run(f"PATH='{node.environment()['PATH']}' {runs} {name}")

    def _stop(self) -> None:
        if self._service:
            self._service.__exit__(None, None, None)
        self._service = None


def _lines(text: str) -> list[str]:
    """Strip trailing white space, and number ids in order of appearance."""
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    ids = list(dict.fromkeys(_ID.findall(text)))
    text = _ID.sub(lambda match: f"<id {ids.index(match[0]) + 1}>", text)
    return [line.rstrip() for line in text.rstrip().split("\n")]
