"""Bots for tests, good and bad, and a look at what is left of their replies."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import anyio
from fastapi import FastAPI

from app.chat.model import Conversation, Finish, Usage
from app.chat.replies import Replies

_PATIENCE_SECONDS = 60.0

Script = Callable[[Conversation], AsyncGenerator[str | Usage | Finish, None]]


class ScriptedBot:
    """Replies as a function does. The function may be replaced between two replies."""

    def __init__(self, script: Script) -> None:
        """`script` is an async generator function."""
        self.script = script

    def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """Do as the script says."""
        return self.script(conversation)


class GatedBot:
    """Says `word<n> ` whenever the gate lets one through, for ever, and notes what is done with it."""

    def __init__(self) -> None:
        """Start with a closed gate."""
        self.gate = asyncio.Semaphore(0)
        self.started = asyncio.Event()
        self.closed = asyncio.Event()
        self.pulled = 0
        """How many deltas were taken."""

    def let_through(self, count: int) -> None:
        """Allow so many further deltas."""
        for _ in range(count):
            self.gate.release()

    async def reply(self, _: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """Wait, speak, and wait again."""
        try:
            self.started.set()
            while True:
                await self.gate.acquire()
                self.pulled += 1
                yield f"word{self.pulled} "
        finally:
            self.closed.set()


def open_replies(app: FastAPI) -> int:
    """How many replies are being made or read in an application that `create_app` made."""
    replies: Replies = app.state.replies
    return len(replies._registry)  # noqa: SLF001 - nobody but a test wants to know


async def no_open_reply(app: FastAPI, *, but: int = 0) -> None:
    """Wait until there is none, or so many: until the last one is stored.

    Raises `AssertionError`.
    """
    with anyio.move_on_after(_PATIENCE_SECONDS):
        while open_replies(app) > but:
            await anyio.sleep(0.001)
        return
    raise AssertionError(f"{open_replies(app)} replies are still open")
