"""Each bot that there is, in the real application; with a look at what it says, what it hears, and when it is left."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Protocol, Self

import anyio
import psutil
from fastapi import FastAPI

from app.bot_choice import chosen_bot
from app.chat.model import Conversation, Finish, Usage
from app.chat.ports import Bot
from app.main import create_app
from tests.support.asgi import Client
from tests.support.completions import begun, chunk, finish, stream, usage
from tests.support.engine import FakeEngine, Script, Step
from tests.support.llama import LlamaServer
from tests.support.relay import Relay
from tests.support.settings import Settings

Kind = Literal["greeter", "simulator", "openai and a fake engine", "openai and llama.cpp", "local"]
KINDS: tuple[Kind, ...] = ("greeter", "simulator", "openai and a fake engine", "openai and llama.cpp", "local")

_PATIENCE_SECONDS = 60.0
_LEFT_SECONDS = 3.0
"""Far more than a model needs to stop, and less than it would need to come to its end."""

_TEXTS = ["Hi", " there", "! ", "One\r\n", "\n  two \ud83d", "\ude00\u65e5\u672c", "\u8a9e ", "e", "\u0301 x "]
"""Deltas as engines send them: words, and characters, in two pieces."""

_Turns = Sequence[Mapping[str, str]]


@dataclass(slots=True, eq=False)
class Said:
    """One reply, as the bot has made it."""

    conversation: Conversation
    deltas: list[str] = field(default_factory=list)
    finish: Finish | None = None
    usage: Usage | None = None
    """What it told before its end."""
    closed: anyio.Event = field(default_factory=anyio.Event)
    """The bot has stopped, by itself or because it was told to."""

    @property
    def turns(self) -> _Turns:
        """The conversation, as engines are told it."""
        return [{"role": message.role, "content": message.text} for message in self.conversation.messages]


class Watched:
    """A bot, and notes of what it says. The application does not see a difference."""

    def __init__(self, bot: Bot) -> None:
        """`bot` does the work."""
        self.said: list[Said] = []
        self._bot = bot
        self._stack = AsyncExitStack()

    @property
    def is_ready(self) -> bool:
        """As the bot says, if it says anything about that."""
        return bool(getattr(self._bot, "is_ready", True))

    async def __aenter__(self) -> Self:
        """Enter the bot, if it is to be entered."""
        if isinstance(self._bot, AbstractAsyncContextManager):
            await self._stack.enter_async_context(self._bot)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it."""
        await self._stack.aclose()

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """As the bot replies."""
        said = Said(conversation)
        self.said.append(said)
        try:
            async with aclosing(self._bot.reply(conversation)) as items:
                async for item in items:
                    if isinstance(item, Finish):
                        said.finish = item
                    elif isinstance(item, Usage):
                        said.usage = item
                    else:
                        said.deltas.append(item)
                    yield item
        finally:
            said.closed.set()


class Behind(Protocol):
    """What works for a bot, as seen from there."""

    async def asked(self, count: int) -> _Turns | None:
        """Wait until that many replies were asked for. What the last was told, if that can be seen."""
        ...

    async def left(self, count: int) -> None:
        """Wait until nobody waits for that reply any more. Raises `TimeoutError`."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """A bot in its application."""

    client: Client
    app: FastAPI
    bot: Watched
    message: str
    """What gets an answer that takes its time."""
    counts: bool
    """Whether it tells what a reply has cost."""
    behind: Behind


class _Nobody:
    async def asked(self, _: int) -> _Turns | None:
        return None

    async def left(self, _: int) -> None:
        return


@dataclass(frozen=True, slots=True)
class _Fake:
    engine: FakeEngine

    async def asked(self, count: int) -> _Turns | None:
        turns: _Turns = (await self.engine.asked(count)).body["messages"]
        return turns

    async def left(self, count: int) -> None:
        exchange = await self.engine.asked(count)
        with anyio.fail_after(_LEFT_SECONDS):
            await self.engine.until(lambda: exchange.closed_at is not None)


@dataclass(frozen=True, slots=True)
class _Relayed:
    relay: Relay

    async def asked(self, count: int) -> _Turns | None:
        turns: _Turns = (await self.relay.asked(count)).body["messages"]
        return turns

    async def left(self, count: int) -> None:
        asked = await self.relay.asked(count)
        with anyio.fail_after(_LEFT_SECONDS):
            await asked.left.wait()


@dataclass(frozen=True, slots=True)
class _Process:
    process: psutil.Process

    async def asked(self, _: int) -> _Turns | None:
        return None

    async def left(self, _: int) -> None:
        """A model at work takes all the time that its processor has."""
        with anyio.fail_after(_LEFT_SECONDS):
            while True:
                before = self.process.cpu_times().user
                await anyio.sleep(0.1)
                if self.process.cpu_times().user - before < 0.02:
                    return


@asynccontextmanager
async def subject(kind: Kind, llama: LlamaServer, *, is_long: bool) -> AsyncIterator[Subject]:
    """A bot that gives replies of a moment, which can be resumed for an hour; or long ones, which stop when left."""
    settings = Settings(
        resume_window_seconds=0 if is_long else 3600,
        first_word_seconds=60,
        temperature=0,
        max_tokens=400 if is_long else 16,
        greeter_pace_ms=50 if is_long else 3,
        local_context_tokens=1024,
        local_slots=1,
    )
    story = "Write a very long story about a ship." if is_long else "Tell me about the sea."
    async with AsyncExitStack() as stack:
        behind: Behind = _Nobody()
        message = "What is the time?"
        match kind:
            case "greeter":
                settings = _with(settings, bot="greeter")
            case "simulator":
                pace = "pace_ms=50 repeat=100" if is_long else "pace_ms=3 repeat=5"
                settings, message = _with(settings, bot="simulator"), f"/simulate {pace}\none  two\n\tthree four. "
            case "openai and a fake engine":
                engine = await stack.enter_async_context(FakeEngine(_script(is_long=is_long)))
                behind, message = _Fake(engine), "hello"
                settings = _with(settings, bot="openai", openai_base_url=engine.url, openai_model="m")
            case "openai and llama.cpp":
                relay = await stack.enter_async_context(Relay(llama.port))
                behind, message = _Relayed(relay), story
                settings = _with(settings, bot="openai", openai_base_url=relay.url, openai_api_key=llama.key)
                settings = _with(settings, openai_model="m", openai_extra_body={"ignore_eos": True})
            case "local":
                settings, message = _with(settings, bot="local"), story
        others = psutil.Process().children()
        bot = Watched(chosen_bot(settings))
        app = create_app(settings, bot)
        client = await stack.enter_async_context(Client(app, patience_seconds=_PATIENCE_SECONDS))
        if kind == "local":
            (process,) = [process for process in psutil.Process().children() if process not in others]
            behind = _Process(process)
        with anyio.fail_after(_PATIENCE_SECONDS):
            while not bot.is_ready:
                await anyio.sleep(0.02)
        yield Subject(client, app, bot, message, kind not in {"greeter", "simulator"}, behind)


def _with(settings: Settings, **more: object) -> Settings:
    return Settings.model_validate(settings.model_dump() | more)


def _script(*, is_long: bool) -> Script:
    if is_long:
        return begun(*[step for _ in range(100) for step in (chunk("word "), 0.05)])
    steps: list[Step] = [step for text in _TEXTS for step in (chunk(text), 0.005)]
    return stream(*steps, finish(), usage(7, len(_TEXTS)))
