"""Bots for tests, and checks of how many of their replies are open."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import anyio
from fastapi import FastAPI

from app.chat.model import Conversation, Finish, Usage
from app.chat.replies import Replies

_PATIENCE_SECONDS = 60.0

Script = Callable[[Conversation], AsyncGenerator[str | Usage | Finish, None]]


class ScriptedBot:
    """Delegates to a function, which may be replaced between replies."""

    def __init__(self, script: Script) -> None:
        """`script` is an async generator function."""
        self.script = script

    def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """Run the script."""
        return self.script(conversation)


class GatedBot:
    """Yields `word<n> ` whenever the gate allows it, for ever, and records how it is used."""

    def __init__(self) -> None:
        """Start with a closed gate."""
        self.gate = asyncio.Semaphore(0)
        self.started = asyncio.Event()
        self.closed = asyncio.Event()
        self.pulled = 0
        """How many deltas were requested."""

    def let_through(self, count: int) -> None:
        """Allow this many more deltas."""
        for _ in range(count):
            self.gate.release()

    async def reply(self, _: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """Yield one word each time the gate opens."""
        try:
            self.started.set()
            while True:
                await self.gate.acquire()
                self.pulled += 1
                yield f"word{self.pulled} "
        finally:
            self.closed.set()


def open_replies(app: FastAPI) -> int:
    """How many replies are being generated or read in an application from `create_app`."""
    replies: Replies = app.state.replies
    return len(replies._registry)  # noqa: SLF001 - only tests need it


async def no_open_reply(app: FastAPI, *, but: int = 0) -> None:
    """Wait until at most `but` replies are open, and the others are stored.

    Raises `AssertionError`.
    """
    with anyio.move_on_after(_PATIENCE_SECONDS):
        while open_replies(app) > but:
            await anyio.sleep(0.001)
        return
    raise AssertionError(f"{open_replies(app)} replies are still open")
