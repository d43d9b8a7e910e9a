"""A bot for client teams, tests and benchmarks: echoes the message exactly, and misbehaves on demand.

A first line `/simulate key=value ...` controls how the rest of the message is echoed.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Container, Iterator
from dataclasses import dataclass, fields

from app.bots.pacing import Pauses
from app.chat.errors import (
    BotFailed,
    BotRateLimited,
    BotTimeout,
    BotUnavailable,
    ChatError,
    MessageRefused,
)
from app.chat.model import Conversation, Finish

_DIRECTIVE = re.compile(r"/simulate(?:[ \t]+([^\r\n]*))?(?:\r\n|\r|\n|\Z)")
_DELTA = re.compile(r"\s*\S+\s*")
_MAX_MS = 600_000
_MAX_COUNT = 1_000_000
_MAX_REPEAT = 1_000


@dataclass(frozen=True, slots=True)
class Simulation:
    """How to echo. A delta is a word with its white space, or `chunk` characters."""

    pace_ms: int = 0
    """Pause after each delta."""
    first_ms: int = 0
    """Pause before the first delta."""
    stall_after: int = -1
    """Be silent for ever after this many deltas."""
    fail_after: int = -1
    """Fail after this many deltas."""
    status: int = 0
    """Fail before the first delta, like a model that returns this status: 429, 502, 503 or 504."""
    finish: str = "stop"
    """The finish reason: `stop` or `length`."""
    repeat: int = 1
    """Echo the message this many times."""
    chunk: int = 0
    """Characters per delta."""


_OPTIONS = ", ".join(field.name for field in fields(Simulation))
_NUMBER = re.compile("[0-9]{1,7}")
_NUMBERS: dict[str, Container[int]] = {
    "pace_ms": range(_MAX_MS + 1),
    "first_ms": range(_MAX_MS + 1),
    "stall_after": range(_MAX_COUNT + 1),
    "fail_after": range(_MAX_COUNT + 1),
    "status": {429, 502, 503, 504},
    "repeat": range(1, _MAX_REPEAT + 1),
    "chunk": range(1, _MAX_COUNT + 1),
}


class Simulator:
    """Echoes messages."""

    def __init__(self) -> None:
        """Replies pause together."""
        self._pauses = Pauses()

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Finish, None]:
        """Echo the user's message as its first line directs."""
        message = conversation.user_message
        simulation, start = parse(message)
        loop, pause = asyncio.get_running_loop(), self._pauses.begin
        if simulation.first_ms:
            await pause(loop, simulation.first_ms / 1000)
        if simulation.status:
            raise _failure(simulation.status)
        pace_seconds = simulation.pace_ms / 1000
        for sent, delta in enumerate(_deltas(simulation, message, start)):
            if sent == simulation.fail_after:
                raise BotFailed
            if sent == simulation.stall_after:
                break
            yield delta
            if pace_seconds:
                await pause(loop, pace_seconds)
        if simulation.fail_after >= 0:
            raise BotFailed
        if simulation.stall_after >= 0:
            await asyncio.Event().wait()
        if simulation.finish == "length":
            yield Finish("length")


def parse(message: str) -> tuple[Simulation, int]:
    """A message's directive, and where the text to echo begins.

    Raises `MessageRefused` for an invalid directive.
    """
    match = _DIRECTIVE.match(message)
    if not match:
        return Simulation(), 0
    options: dict[str, int | str] = {}
    for pair in (match[1] or "").split():
        name, _, value = pair.partition("=")
        if name == "finish" and value in {"stop", "length"}:
            options[name] = value
        elif name in _NUMBERS and _NUMBER.fullmatch(value) and int(value) in _NUMBERS[name]:
            options[name] = int(value)
        else:
            raise MessageRefused(
                "The first line is not a directive of the simulator. "
                f"Write /simulate key=value ..., with keys of: {_OPTIONS}."
            )
    return Simulation(**options), match.end()  # type: ignore[arg-type]  # the loop above checks name and value


def _deltas(simulation: Simulation, message: str, start: int) -> Iterator[str]:
    """One at a time: a stream holds no list of them, nor a scanner, which would take more memory than all of it."""
    if simulation == Simulation():
        yield message[start:]  # no need to split it
        return
    for _ in range(simulation.repeat):
        at = start
        if simulation.chunk:
            while at < len(message):
                yield message[at : at + simulation.chunk]
                at += simulation.chunk
        else:
            while match := _DELTA.match(message, at):
                yield match[0]
                at = match.end()


def _failure(status: int) -> ChatError:
    match status:
        case 429:
            return BotRateLimited()
        case 502:
            return BotFailed()
        case 503:
            return BotUnavailable()
        case _:
            return BotTimeout()
