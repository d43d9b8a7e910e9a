"""Reads replies to their end with the client that datamodel-code-generator generates. Put it next to `models.py`.

A stream that ends without `done` or `failed` was interrupted, even if the connection was closed properly. Then, and
while the server cannot be reached, the request is repeated with the same idempotency key and the last word's id. So no
word is lost or repeated, and no second reply is generated. (`AsyncClient` has the same streams.)
"""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from uuid import uuid4

from .client import Client
from .client.errors import APIConnectionError, APIStatusError, ProtocolDataError, StreamInterruptedError
from .client.options import UNSET
from .client.protocols import EventStream, UnknownEvent
from .models import ChatRequest, Problem, Reply

_SERVER_ERROR = 500
_UNAVAILABLE = 503
_LONGEST_PAUSE_SECONDS = 8.0

_Open = Callable[[str | UNSET], EventStream[Reply | UnknownEvent]]
"""Opens the stream after the word with this id."""


@dataclass(frozen=True, slots=True)
class Word:
    """The next word, including the white space that follows it."""

    id: str
    text: str


class ProblemError(Exception):
    """The request was refused, or the reply failed."""

    def __init__(self, problem: Problem) -> None:
        """Keep the contract's `Problem`."""
        super().__init__(problem.detail)
        self.problem = problem


class Interrupted(Exception):
    """The reply was not read to its end, and repeating the request did not help."""

    def __init__(self, problem: Problem | None = None) -> None:
        """Keep the problem, if the server was reached but is not available."""
        super().__init__(problem.detail if problem else "The connection was lost.")
        self.problem = problem


def ask(client: Client, request: ChatRequest, *, key: str | None = None, retries: int = 5) -> Generator[Word | Reply]:
    """Send a message; yield the words of its reply as they arrive, and then the reply.

    `retries` is how often in a row the request is repeated without a new word. Raises `ProblemError`, `Interrupted`.
    """
    key = key or uuid4().hex
    chat = client.protocols.chat_events
    return _read(lambda last: chat.open(body=request, idempotency_key=key, last_event_id=last), UNSET, retries)


def follow(client: Client, reply_id: str, *, after: str | UNSET = UNSET, retries: int = 5) -> Generator[Word | Reply]:
    """Read an existing reply like `ask`, from its first word or after the word with the id `after`."""
    replies = client.protocols.reply_events
    return _read(lambda last: replies.open(reply_id=reply_id, last_event_id=last), after, retries)


def _read(open_: _Open, last: str | UNSET, retries: int) -> Generator[Word | Reply]:
    failures = 0
    while True:
        try:
            for event in _read_once(open_, last):
                yield event
                if isinstance(event, Reply):
                    return
                last, failures = event.id, 0
        except Interrupted:
            if failures >= retries:
                raise
        time.sleep(min(0.25 * 2**failures, _LONGEST_PAUSE_SECONDS))
        failures += 1


def _read_once(open_: _Open, last: str | UNSET) -> Generator[Word | Reply]:
    try:
        with closing(open_(last)) as events:
            for event in events:
                if isinstance(event.data, Reply):
                    yield event.data
                elif event.event_type == "message" and event.event_id:  # later versions may have other events
                    yield Word(event.event_id, event.raw_data)
    except ProtocolDataError as failed:
        if isinstance(failed.data, Problem):
            raise ProblemError(failed.data) from failed
        raise
    except APIStatusError as refused:
        problem = refused.body if isinstance(refused.body, Problem) else None
        if problem and refused.status_code != _UNAVAILABLE:
            raise ProblemError(problem) from refused
        if refused.status_code < _SERVER_ERROR:
            raise
        raise Interrupted(problem) from refused  # no problem: a proxy that cannot reach the server responded
    except (APIConnectionError, StreamInterruptedError) as lost:
        raise Interrupted from lost
    raise Interrupted
