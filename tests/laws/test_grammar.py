"""Law 2: every stream is `word* (done | failed)`, however its reply ends. `check_stream` reads each to the last byte.

The bots here do everything that third-party code may do. Whatever one does ends its own reply, and nothing else.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest
from fastapi import FastAPI
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.chat.errors import BotFailed, BotRateLimited, BotTimeout, BotUnavailable, ChatError, MessageRefused
from app.chat.model import Conversation, Finish, FinishReason
from app.main import create_app
from tests.support.addresses import WHOLE
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot, Script, ScriptedBot, no_open_reply
from tests.support.settings import Settings
from tests.support.texts import foul_texts, normalised

_ASK = {"user_message": "go on"}
_SECRET = "what-nobody-may-see"  # noqa: S105 - not a password


async def _says(_: Conversation) -> AsyncGenerator[str | Finish, None]:
    yield "all is "
    yield "well"


@dataclass(frozen=True, slots=True)
class _Service:
    client: Client
    app: FastAPI
    bot: ScriptedBot

    async def ask(self, script: Script) -> Whole:
        """Request a reply from a scripted bot, and check that the service works as before."""
        self.bot.script = script
        answer = await self.client.request("POST", "/api/chat", json=_ASK)
        assert _SECRET.encode() not in answer.content
        await no_open_reply(self.app)
        self.bot.script = _says
        assert (await self.client.request("POST", "/api/chat", json=_ASK)).transcript().reply.text == "all is well"
        return answer


@asynccontextmanager
async def _service(**bounds: float) -> AsyncIterator[_Service]:
    bot = ScriptedBot(_says)
    app = create_app(Settings.model_validate(bounds), bot)
    async with Client(app, patience_seconds=5) as client:
        yield _Service(client, app, bot)


@pytest.fixture(scope="module")
async def service() -> AsyncGenerator[_Service, None]:
    """One application for all examples."""
    async with _service() as service:
        yield service


def _script(deltas: list[str], ending: Callable[[], Finish | None]) -> Script:
    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        for delta in deltas:
            yield delta
            await anyio.lowlevel.checkpoint()
        if (finish := ending()) is not None:
            yield finish
            yield _SECRET  # after the end: must be discarded

    return script


def _raising(error: BaseException) -> Callable[[], Finish | None]:
    def ending() -> Finish | None:
        raise error

    return ending


_DELTAS = st.lists(foul_texts, max_size=6)
_SOME_DELTAS = [[], ["Hi "], ["Hi there", "! "], [" \n", "\ud83d"]]


@settings(settings.get_profile("laws"))
@given(_DELTAS, st.sampled_from([None, "stop", "length"]))
async def test_a_reply_that_its_bot_ends_is_done(
    service: _Service, deltas: list[str], reason: FinishReason | None
) -> None:
    """With the bot's whole text, which may be empty, and its finish reason."""
    answer = await service.ask(_script(deltas, lambda: Finish(reason) if reason else None))
    reply = answer.transcript().reply
    assert reply.text == normalised("".join(deltas))
    assert reply.finish_reason == (reason or "stop")


@settings(settings.get_profile("laws"))
@given(_DELTAS, st.sampled_from([BotFailed, BotRateLimited, BotTimeout, BotUnavailable, LookupError, TimeoutError]))
async def test_a_reply_that_its_bot_breaks_off_has_failed(
    service: _Service, deltas: list[str], error: type[Exception]
) -> None:
    """The reader gets the text so far; if there is none, an error status instead of a stream."""
    answer = await service.ask(_script(deltas, _raising(error())))
    text = normalised("".join(deltas))
    code = error.code if issubclass(error, ChatError) else "bot-timeout" if error is TimeoutError else "internal"
    if text:
        transcript = answer.transcript()
        assert transcript.text == text
        problem_type = transcript.problem.type
    else:
        problem_type = answer.json()["type"]
        assert answer.status == answer.json()["status"]
    assert problem_type == f"urn:problem:{code}"


class _Unprintable(Exception):
    def __str__(self) -> str:
        raise LookupError(_SECRET)

    __repr__ = __str__


class _OfItsOwnKind(BaseException):
    """Neither an `Exception` nor one of Python's own."""


_ODDITIES: list[BaseException] = [
    ValueError(_SECRET),
    _Unprintable(_SECRET),
    RecursionError(_SECRET),
    MemoryError(_SECRET),
    StopAsyncIteration(_SECRET),
    ExceptionGroup(_SECRET, [ValueError(_SECRET)]),
    UnicodeDecodeError("utf-8", _SECRET.encode(), 0, 1, _SECRET),
    ConnectionResetError(_SECRET),
    AssertionError(_SECRET),
    asyncio.InvalidStateError(_SECRET),
    asyncio.CancelledError(_SECRET),  # raised inside the bot: nobody cancelled the reply
    GeneratorExit(_SECRET),
    _OfItsOwnKind(_SECRET),
    BaseExceptionGroup(_SECRET, [_OfItsOwnKind(_SECRET)]),
]
"""All except the two that would end the test process if the law were broken: those are in tests/live."""


@pytest.mark.parametrize("deltas", [[], ["Hi ", "there"]], ids=["at once", "after a word"])
@pytest.mark.parametrize("error", _ODDITIES, ids=lambda error: type(error).__name__)
async def test_whatever_a_bot_raises_fails_its_own_reply(error: BaseException, deltas: list[str]) -> None:
    """Not the server, nor other replies; the reader gets an error without the exception's text."""
    async with _service() as service:
        answer = await service.ask(_script(deltas, _raising(error)))
        if deltas:
            assert answer.transcript().text == "Hi there"
            assert answer.transcript().problem.type == "urn:problem:internal"
        else:
            assert (answer.status, answer.json()["type"]) == (500, "urn:problem:internal")


async def _yields_bytes(_: Conversation) -> AsyncGenerator[str | Finish, None]:
    yield "Hi there "
    yield b"!"  # type: ignore[misc]  # the point of the test


async def _yields_none(_: Conversation) -> AsyncGenerator[str | Finish, None]:
    yield "Hi there "
    yield None  # type: ignore[misc]  # the point of the test


def _is_no_generator(_: Conversation) -> AsyncGenerator[str | Finish, None]:
    return None  # type: ignore[return-value]  # the point of the test


def _raises_when_called(_: Conversation) -> AsyncGenerator[str | Finish, None]:
    raise ValueError(_SECRET)


async def _raises_while_it_is_closed(_: Conversation) -> AsyncGenerator[str | Finish, None]:
    try:
        yield "Hi there "
        yield Finish("stop")
    finally:
        raise ValueError(_SECRET)


async def _will_not_be_closed(_: Conversation) -> AsyncGenerator[str | Finish, None]:
    yield "Hi there "
    try:
        yield Finish("stop")
    except GeneratorExit:
        yield _SECRET


@pytest.mark.parametrize(
    "script",
    [
        _yields_bytes,
        _yields_none,
        _is_no_generator,
        _raises_when_called,
        _raises_while_it_is_closed,
        _will_not_be_closed,
    ],
)
async def test_a_bot_that_is_no_proper_bot_fails_its_own_reply(service: _Service, script: Script) -> None:
    """Types are only annotations; the reader still gets a valid stream or an error status."""
    answer = await service.ask(script)
    if answer.status == 200:
        assert answer.transcript().text == "Hi there "
        assert answer.transcript().problem.type == "urn:problem:internal"
    else:
        assert (answer.status, answer.json()["type"]) == (500, "urn:problem:internal")


async def test_a_message_that_the_bot_refuses_gets_its_reason(service: _Service) -> None:
    """The one error whose text is meant for the user."""
    answer = await service.ask(_script([], _raising(MessageRefused("The bot takes no haiku."))))
    assert answer.status == 422
    assert answer.json()["errors"] == [{"pointer": "/user_message", "detail": "The bot takes no haiku."}]


_BOUNDS = (1, 2, 5, 12, 30, 80)


@pytest.fixture(scope="module")
async def bounded() -> AsyncGenerator[dict[int, _Service], None]:
    """Applications by the maximum number of characters in a reply."""
    async with AsyncExitStack() as stack:
        yield {bound: await stack.enter_async_context(_service(max_reply_characters=bound)) for bound in _BOUNDS}


@settings(settings.get_profile("laws"))
@given(_DELTAS, st.sampled_from(_BOUNDS))
@example(["0\r"], 1)  # what becomes of a CR at the end, only the end tells
@example(["0 \ud800"], 2)
async def test_a_reply_that_grows_too_long_is_done_with_length(
    service: _Service, bounded: dict[int, _Service], deltas: list[str], bound: int
) -> None:
    """With as many whole words as fit; a reply that just fits is complete."""
    text = normalised("".join(deltas))
    words = (await service.ask(_script(deltas, lambda: None))).transcript().words
    bounded[bound].bot.script = _script(deltas, lambda: None)
    transcript = (await bounded[bound].client.request("POST", "/api/chat", json=_ASK)).transcript()
    assert len(transcript.text) <= bound
    assert transcript.words == words[: len(transcript.words)]
    assert transcript.reply.finish_reason == ("stop" if len(text) <= bound else "length")
    assert (transcript.text == text) is (len(text) <= bound)


async def _talks_for_ever(_: Conversation) -> AsyncGenerator[str | Finish, None]:
    while True:
        yield "on and "
        await asyncio.sleep(0.001)


async def _never_pauses(_: Conversation) -> AsyncGenerator[str | Finish, None]:
    while True:
        yield "on and "


def _stalls_after(deltas: list[str]) -> Script:
    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        for delta in deltas:
            yield delta
        await asyncio.Event().wait()

    return script


@pytest.mark.parametrize("deltas", _SOME_DELTAS, ids=repr)
async def test_a_bot_that_falls_silent_is_stopped(deltas: list[str]) -> None:
    """With 504 if there was no text; otherwise with the text so far and `failed`."""
    async with _service(bot_silence_seconds=0.05) as service:
        answer = await service.ask(_stalls_after(deltas))
    text = normalised("".join(deltas))
    if text:
        assert answer.transcript().text == text
        assert answer.transcript().problem.type == "urn:problem:bot-timeout"
    else:
        assert (answer.status, answer.json()["type"]) == (504, "urn:problem:bot-timeout")


@pytest.mark.parametrize("script", [_talks_for_ever, _never_pauses, _stalls_after(["on and "])])
async def test_a_bot_that_talks_too_long_is_stopped(script: Script) -> None:
    """The limit on the whole reply also holds for a bot that never pauses."""
    bounds = {"reply_seconds": 0.1, "max_reply_characters": 2**40}
    async with _service(**bounds) as service:
        transcript = (await service.ask(script)).transcript()
    assert transcript.text.startswith("on and")
    assert transcript.problem.type == "urn:problem:bot-timeout"


async def test_a_late_failure_is_told_in_the_stream() -> None:
    """After the wait for the first word the status is 200, and only the stream can report the failure."""
    bot = GatedBot()
    app = create_app(Settings(first_word_seconds=0.01, bot_silence_seconds=0.1), bot)
    async with Client(app) as client, client.stream("POST", "/api/chat", json=_ASK) as response:
        assert response.status == 200
        transcript = Whole(200, response.headers, await response.read()).transcript()
    assert transcript.words == ()
    assert transcript.pings
    assert transcript.problem.type == "urn:problem:bot-timeout"


@pytest.mark.parametrize("words", [0, 1, 3])
async def test_a_reply_that_outlasts_the_drain_fails_retryably(words: int) -> None:
    """Running replies get the drain time; new requests are refused meanwhile."""
    bot = GatedBot()
    app = create_app(Settings(first_word_seconds=0.01), bot)
    async with Client(app) as client, client.stream("POST", "/api/chat", json=_ASK) as response:
        bot.let_through(words)
        chunks = response.chunks()
        raw = b""
        while raw.count(b"data: ") < words - 1:  # the last word waits for more white space
            raw += await anext(chunks)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(app.state.replies.drain, 0.05)
            await anyio.lowlevel.checkpoint()
            refused = await client.request("POST", "/api/chat", json=_ASK)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert (await client.request("GET", "/api/ready")).status == 503
            assert (await client.request("GET", "/api/health")).status == 200
        transcript = Whole(200, {}, raw + await response.read()).transcript()
        assert bot.closed.is_set()
    assert len(transcript.words) == words
    assert transcript.problem.type == "urn:problem:draining"
    assert transcript.problem.retryable


async def test_a_reply_that_ends_within_the_drain_is_done() -> None:
    """And the drain ends with it."""
    bot = ScriptedBot(_says)
    app = create_app(Settings(), bot)
    gate = asyncio.Event()

    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        yield "so far "
        await gate.wait()
        yield "so good"

    bot.script = script
    async with Client(app) as client, client.open("POST", "/api/chat", json=_ASK) as response:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(app.state.replies.drain, 3600)
                await anyio.lowlevel.checkpoint()
                gate.set()
                body = await (await response.head()).read()
    assert Whole(200, {}, body).transcript().reply.text == "so far so good"


async def test_a_reply_that_shutdown_overtakes_fails_retryably() -> None:
    """If the lifespan ends before its replies, they are not waited for; their readers get `failed`."""
    bot = GatedBot()
    app = create_app(Settings(first_word_seconds=0.01), bot)
    async with Client(app) as server:
        responses = server.open("POST", "/api/chat", json=_ASK)
        response = await responses.__aenter__()
        await response.head()
        await server.shut_down()
        transcript = Whole(200, {}, await response.read()).transcript()
        await responses.__aexit__(None, None, None)
    assert transcript.problem.type == "urn:problem:draining"


@settings(max_examples=100, deadline=None)
@given(_DELTAS, st.sampled_from([None, Finish("length"), BotFailed(), LookupError()]))
async def test_the_json_reply_ends_as_the_stream_does(
    service: _Service, deltas: list[str], end: Finish | Exception | None
) -> None:
    """With the same text if it completed; with the same problem, as a status, if it failed."""
    ending = _raising(end) if isinstance(end, Exception) else (lambda: end)
    streamed = await service.ask(_script(deltas, ending))
    service.bot.script = _script(deltas, ending)
    whole = await service.client.request("POST", WHOLE, json=_ASK)
    if not isinstance(end, Exception):
        reply = streamed.transcript().reply
        assert whole.status == 200
        names = {name: whole.json()[name] for name in ("reply_id", "conversation_id")}
        assert whole.json() == reply.model_dump() | names
    else:
        problem = streamed.transcript().problem.model_dump() if streamed.status == 200 else streamed.json()
        assert whole.json() == problem
        assert whole.status == problem["status"]
