"""The common part of the Python programs: their commands, and how they report what they receive."""

import json
import sys
from collections.abc import Callable
from typing import NotRequired, TypedDict


class Asked(TypedDict):
    """A command: an operation and its arguments."""

    operation: str
    url: str
    key: str | None
    message: NotRequired[str]
    conversation_id: NotRequired[str]
    reply_id: NotRequired[str]
    cursor: NotRequired[str]
    idempotency_key: NotRequired[str]
    leave: NotRequired[bool]  # after the first word
    retries: NotRequired[int]


def tell(what: str, value: object) -> None:
    """Print it as a line of JSON, unbuffered."""
    print(json.dumps({what: value}), flush=True)


def tell_word(text: str, word_id: str | None) -> None:
    """Report a word."""
    print(json.dumps({"word": text, "id": word_id}), flush=True)


def tell_problem(status: int, kind: str, *, typed: bool) -> None:
    """Report a refusal, and whether the problem is an object of the contract's type."""
    print(json.dumps({"refused": kind, "status": status, "typed": typed}), flush=True)


def do_all(do: Callable[[Asked], None]) -> None:
    """Execute all commands on standard input, in order; report the end of each."""
    for asked in json.load(sys.stdin):
        do(asked)
        tell("end", asked["operation"])
