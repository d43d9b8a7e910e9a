"""Command lines: an argument that is not understood is one line, with the nearest one that there is."""

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """As argparse's, but for what it says of errors. Flags cannot be abbreviated: a later flag could take them over."""

    def __init__(self, *, hints: Mapping[str, str] | None = None, **options: Any) -> None:  # noqa: ANN401 - argparse's
        """`hints` tells, for arguments that are none, what to do instead."""
        self._hints = hints or {}
        self.flags: list[str] = []
        """That are known; of a parser with commands, theirs too."""
        self._commands: Collection[str] = ()
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:  # noqa: ANN401
        """As argparse's."""
        self.flags += [name for name in names if name.startswith("-")]
        return super().add_argument(*names, **options)

    def add_commands(self, **helps: str) -> "dict[str, Parser]":
        """Make a parser for each command; its name comes as `command`."""
        self._commands = helps
        choices = self.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
        parsers = {name: choices.add_parser(name, help=text, description=text) for name, text in helps.items()}
        for parser in parsers.values():
            parser.flags = self.flags
        return parsers

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """What is given. Ends the process with status 2 if it is not understood."""
        first = arguments[0] if arguments else ""
        if self._commands and first not in self._commands and not first.startswith("-"):
            what = f"{first!r} is not a command" if first else "a command is missing"
            self.refuse(what, first, self._commands)
        given, others = self.parse_known_args(arguments)
        for other in others:
            name = other.partition("=")[0]
            if name in self._hints:
                self.error(f"{name}: {self._hints[name]}")
            self.refuse(f"{name!r} is not understood", name, self.flags)
        return given

    def refuse(self, what: str, given: str, known: Collection[str]) -> NoReturn:
        """End with what is wrong and the nearest of those that are known, or all of them."""
        near = get_close_matches(given, known, n=1, cutoff=0.5)
        self.error(f"{what}; did you mean {near[0]}?" if near else f"{what}. Next: one of {', '.join(known)}")

    def error(self, message: str) -> NoReturn:
        """End with one line."""
        hint = "" if "Next:" in message or message.endswith("?") else f". Next: {self.prog} --help"
        self.exit(2, f"{self.prog}: {message}{hint}\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End, also where there is nowhere to write to."""
        if message and sys.stderr is not None:
            sys.stderr.write(message)
        raise SystemExit(status)
