"""Requests replies from the bot like the service does, and records its output and how it ends."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from app.bots.openai import OpenAI
from app.bots.request import Engine
from app.chat.errors import ChatError
from app.chat.model import Conversation, Finish, Message, Usage
from tests.support.completions import counts, speaks
from tests.support.engine import FakeEngine, Script

PATIENCE_SECONDS = 20.0
"""The time limit for a reply: far longer than it takes."""

HELLO = Conversation((Message("user", "hello"),))
TALK = Conversation((Message("user", "hello"), Message("assistant", "Hi!"), Message("user", "Who are you?")))

COUNTS = counts(7, 3)
USAGE = Usage(7, 3)
"""What the bot makes of `COUNTS`."""


@dataclass(slots=True)
class Heard:
    """A bot's reply."""

    deltas: list[str] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    """Reported before the end."""
    finish: Finish | None = None
    error: ChatError | None = None

    @property
    def text(self) -> str:
        """The deltas, joined; surrogate pairs become characters."""
        return "".join(self.deltas).encode("utf-16-le", "surrogatepass").decode("utf-16-le")


async def ask(bot: OpenAI, conversation: Conversation = HELLO, begun: asyncio.Event | None = None) -> Heard:
    """Read one reply to its end; `begun` is set at the first text. Only a `ChatError` is caught."""
    heard = Heard()
    try:
        with anyio.fail_after(PATIENCE_SECONDS):
            async with aclosing(bot.reply(conversation)) as items:
                async for item in items:
                    assert heard.finish is None, "there is something behind the end"
                    if isinstance(item, Finish):
                        heard.finish = item
                    elif isinstance(item, Usage):
                        heard.usages.append(item)
                    else:
                        heard.deltas.append(item)
                    if begun is not None and heard.text:
                        begun.set()
    except ChatError as error:
        heard.error = error
    return heard


@asynccontextmanager
async def asking(engine: FakeEngine, **settings: Any) -> AsyncGenerator[OpenAI, None]:  # noqa: ANN401 - of `Engine`
    """A bot that uses this engine, which runs meanwhile."""
    async with engine, OpenAI(Engine(**{"base_url": engine.url, "model": "m"} | settings)) as bot:
        yield bot


async def hear(*scripts: Script, conversation: Conversation = HELLO, **settings: object) -> tuple[Heard, int]:
    """A reply from an engine with these scripts, and the number of requests for it."""
    engine = FakeEngine(*scripts)
    async with asking(engine, **settings) as bot:
        return await ask(bot, conversation), len(engine.exchanges)


WHOLE = speaks("Hi ", "there!")
"""A successful reply, for the retry."""
