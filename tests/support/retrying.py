"""What can become of a request that is repeated until it succeeds, and the service that it becomes of."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Self

import anyio
from fastapi import FastAPI

from app.chat.model import Conversation, Finish, Usage
from app.main import create_app
from tests.support.asgi import Client
from tests.support.bots import open_replies
from tests.support.settings import Settings

_PATIENCE_SECONDS = 60.0

Leaves = Literal["never", "at once", "after the head", "after a word"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of the next reply that the bot is asked for: it is good, if there is no plan."""

    words: int = 3
    waits: bool = False
    """Whether it waits behind these words until it is told to go on."""
    error: type[Exception] | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A message is sent, or sent again."""

    which: int
    path: str
    names: bool = False
    """Whether it names the conversation, though it would begin it."""
    leaves: Leaves = "never"
    twice: bool = False
    """Whether it comes twice at the same moment."""


@dataclass(frozen=True, slots=True)
class AskLocked:
    """A message is sent while the database takes nothing."""

    which: int
    path: str


@dataclass(frozen=True, slots=True)
class EndLocked:
    """What waits goes on to its end while the database takes nothing."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """A reply is cancelled."""

    which: int


@dataclass(frozen=True, slots=True)
class Resume:
    """A client goes on with what it has read of a reply."""

    which: int
    way: Literal["get", "query", "post"]


@dataclass(frozen=True, slots=True)
class Restart:
    """The service drains, and there is another one."""


Op = Plan | Ask | AskLocked | EndLocked | Cancel | Resume | Restart


class PlannedBot:
    """Does as planned, once for each reply; its words tell each reply from every other."""

    def __init__(self) -> None:
        """Without any plan."""
        self.plans: list[Plan] = []
        self.asked: Counter[str] = Counter()
        self.said_all: Counter[str] = Counter()
        self.waiting = 0
        self.go = asyncio.Event()
        self.doubled: list[Conversation] = []
        """Conversations in which the message that awaits a reply was there before: none."""

    def wait_again(self) -> None:
        """Let those wait that come from now on."""
        self.go = asyncio.Event()

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """Do as planned."""
        message = conversation.user_message
        plan = self.plans.pop(0) if self.plans else Plan()
        self.asked[message] += 1
        if [turn.text for turn in conversation.messages].count(message) > 1:
            self.doubled.append(conversation)
        for n in range(plan.words):
            yield f"{self.asked[message]}-{n} "
            await anyio.lowlevel.checkpoint()
        if plan.waits:
            self.waiting += 1
            try:
                await self.go.wait()
            finally:
                self.waiting -= 1
        if plan.error is not None:
            raise plan.error
        yield f"said {message}"
        self.said_all[message] += 1


class Service:
    """The application with that bot, which comes back on the same database. An async context manager."""

    def __init__(self, database_url: str, **settings: object) -> None:
        """Nobody leaves for good here: the resume window is an hour."""
        own = {"resume_window_seconds": 3600, "first_word_seconds": 0.01, "save_every_seconds": 0.05} | settings
        self.bot = PlannedBot()
        self.url = database_url
        self._settings = Settings.model_validate(own | {"database_url": database_url})
        self.app: FastAPI
        self.client: Client

    async def __aenter__(self) -> Self:
        """Start."""
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.client.shut_down()

    async def restart(self) -> None:
        """What runs is told that the server stops."""
        await self.app.state.replies.drain(0)
        await self.client.shut_down()
        await self._start()

    async def settled(self) -> None:
        """Wait until what runs waits for the test, and all else has ended."""
        with anyio.fail_after(_PATIENCE_SECONDS):
            while open_replies(self.app) != self.bot.waiting:
                await anyio.sleep(0.001)

    async def _start(self) -> None:
        self.app = create_app(self._settings, self.bot)
        self.client = await Client(self.app).__aenter__()
