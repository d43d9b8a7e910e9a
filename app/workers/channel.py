"""What the parent and a worker say to each other, over a pair of sockets.

First comes a `Task`; then orders, a byte each. A worker answers with `Ready` or with `Failed`, and once it serves with
`Alive`, a line each. The end of the parent's side is the parent's death. Orders are no signals: service managers and
terminals signal all processes at once, and the parent's would come on top.
"""

import json
import pickle
import socket
import struct
from dataclasses import asdict, dataclass
from enum import Enum

from app.settings import Settings

_SIZE = struct.Struct("!I")


class Order(Enum):
    """What a worker is to do."""

    BEGIN = b"b"
    """Open the database, and answer with `Ready`."""
    ACCEPT = b"a"
    """Take connections."""
    ANSWER = b"?"
    """Answer with `Alive`: the event loop runs."""
    DRAIN = b"d"
    STOP = b"s"
    """At once."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker has to know. The descriptors are its own as well: it inherits them."""

    settings: Settings
    number: int
    """From 1."""
    workers: int
    listeners: tuple[int, ...]
    counts: int
    metrics: int | None = None
    """Memory for metrics, if they are counted."""


@dataclass(frozen=True, slots=True)
class Ready:
    """It could take connections."""

    has_keys: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot start, or had to end."""

    status: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alive:
    """It serves."""


Answer = Ready | Failed | Alive


def packed(task: Task) -> bytes:
    """The bytes of a task."""
    data = pickle.dumps(task)
    return _SIZE.pack(len(data)) + data


def received(channel: socket.socket) -> Task:
    """The task, which comes first. Raises `EOFError` if the parent is gone."""
    size: int = _SIZE.unpack(_exactly(channel, _SIZE.size))[0]
    task = pickle.loads(_exactly(channel, size))  # noqa: S301 - from the process that has started this one
    assert isinstance(task, Task)  # noqa: S101 - the parent sends nothing else first
    return task


def answer(what: Answer) -> bytes:
    """The line of an answer."""
    return json.dumps({type(what).__name__: asdict(what)}).encode() + b"\n"


def answered(line: bytes) -> Answer | None:
    """What a line says; nothing if it was cut off."""
    if not line.endswith(b"\n"):
        return None
    ((kind, values),) = json.loads(line).items()
    match kind:
        case Ready.__name__:
            return Ready(**values)
        case Alive.__name__:
            return Alive()
        case _:
            return Failed(values["status"], tuple(values["lines"]))


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = channel.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data
