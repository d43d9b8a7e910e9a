"""What the programs for Python have in common: what they are asked to do, and how they tell what they hear."""

import json
import sys
from collections.abc import Callable
from typing import NotRequired, TypedDict


class Asked(TypedDict):
    """Something to do: an operation, and what it takes."""

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
    """Print it as a line of JSON, at once."""
    print(json.dumps({what: value}), flush=True)


def tell_word(text: str, word_id: str | None) -> None:
    """Tell that a word has come."""
    print(json.dumps({"word": text, "id": word_id}), flush=True)


def tell_problem(status: int, kind: str, *, typed: bool) -> None:
    """Tell that the request was refused, and whether the problem came as an object of the contract's type."""
    print(json.dumps({"refused": kind, "status": status, "typed": typed}), flush=True)


def do_all(do: Callable[[Asked], None]) -> None:
    """Do all that standard input asks for, one after the other; tell the end of each."""
    for asked in json.load(sys.stdin):
        do(asked)
        tell("end", asked["operation"])
