"""What can happen to a request that is retried until it succeeds, and the service that it happens to."""

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
    """How the bot's next reply goes; without a plan, it succeeds."""

    words: int = 3
    waits: bool = False
    """Whether it waits after these words until it may go on."""
    error: type[Exception] | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A message is sent or retried."""

    which: int
    path: str
    names: bool = False
    """Whether it names the conversation, although it is the message that started it."""
    leaves: Leaves = "never"
    twice: bool = False
    """Whether it is sent twice concurrently."""


@dataclass(frozen=True, slots=True)
class AskLocked:
    """A message is sent while the database refuses writes."""

    which: int
    path: str


@dataclass(frozen=True, slots=True)
class EndLocked:
    """Waiting replies end while the database refuses writes."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """A reply is cancelled."""

    which: int


@dataclass(frozen=True, slots=True)
class Resume:
    """A client resumes after what it has read of a reply."""

    which: int
    way: Literal["get", "query", "post"]


@dataclass(frozen=True, slots=True)
class Restart:
    """The service drains and is started again."""


Op = Plan | Ask | AskLocked | EndLocked | Cancel | Resume | Restart


class PlannedBot:
    """Follows a plan for each reply; its words are different in each reply."""

    def __init__(self) -> None:
        """Start without a plan."""
        self.plans: list[Plan] = []
        self.asked: Counter[str] = Counter()
        self.said_all: Counter[str] = Counter()
        self.waiting = 0
        self.go = asyncio.Event()
        self.doubled: list[Conversation] = []
        """Conversations that contain the message awaiting a reply more than once: must be empty."""

    def wait_again(self) -> None:
        """Make later replies wait again."""
        self.go = asyncio.Event()

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """Follow the next plan."""
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
    """The application with that bot, which can restart on the same database. An async context manager."""

    def __init__(self, database_url: str, instances: int = 1, **settings: object) -> None:
        """The resume window is an hour, so that no reply is abandoned."""
        own = {"resume_window_seconds": 3600, "first_word_seconds": 0.01, "save_every_seconds": 0.05} | settings
        self.bot = PlannedBot()
        self.url = database_url
        self._settings = Settings.model_validate(own | {"database_url": database_url})
        self._count = instances
        self._turn = 0
        self._apps: list[FastAPI] = []
        self._clients: list[Client] = []

    async def __aenter__(self) -> Self:
        """Start."""
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        for client in self._clients:
            await client.shut_down()

    @property
    def client(self) -> Client:
        """A client of each instance in turn."""
        self._turn += 1
        return self._clients[self._turn % self._count]

    async def restart(self) -> None:
        """Restart; running replies fail because the server is stopping."""
        for app, client in zip(self._apps, self._clients, strict=True):
            await app.state.replies.drain(0)
            await client.shut_down()
        await self._start()

    async def settled(self) -> None:
        """Wait until every reply has ended or is waiting for the test."""
        with anyio.fail_after(_PATIENCE_SECONDS):
            while sum(map(open_replies, self._apps)) != self.bot.waiting:
                await anyio.sleep(0.001)

    async def _start(self) -> None:
        self._apps = [create_app(self._settings, self.bot) for _ in range(self._count)]
        self._clients = [await Client(app).__aenter__() for app in self._apps]
