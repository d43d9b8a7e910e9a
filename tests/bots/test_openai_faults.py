"""Every fault behind the bot becomes the matching error, before the first word or after."""

import asyncio
import socket
from typing import Any

import pytest

from app.bots.openai import OpenAI
from app.bots.request import Engine
from app.chat.errors import BotFailed, BotMisconfigured, BotTimeout, BotUnavailable, ChatError
from tests.bots.asking import ask, asking, hear
from tests.bots.faults import CANARY, FAULTS, NONSENSE, REPORTED, Fault
from tests.support.completions import answer, begun, chunk, event, head, speaks, stream
from tests.support.engine import FakeEngine, Step

_SHORT: dict[str, Any] = {"first_byte_seconds": 0.2, "first_token_seconds": 0.2, "between_bytes_seconds": 0.2}
"""Only for silent engines: a busy machine would exceed it otherwise."""


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_before_the_first_word(fault: Fault) -> None:
    """The service turns it into a status. The next reply through the same client is not affected."""
    engine = FakeEngine(fault.script)
    async with asking(engine, **(_SHORT if fault.error is BotTimeout else {})) as bot:
        heard = await ask(bot)
        engine.answers(speaks("Hi ", "there!"))
        if fault.error is not BotTimeout:
            following = await ask(bot)
            assert (following.error, following.text) == (None, "Hi there!")
    assert type(heard.error) is fault.error
    assert CANARY not in heard.text
    assert CANARY not in repr(heard.error.__dict__)


async def _hear_until(steps: list[Step], **seconds: float) -> ChatError | None:
    """The error when these steps follow some text, which must not be lost."""
    begun_to_speak = asyncio.Event()
    engine = FakeEngine([*begun(chunk("Hi there! "), begun_to_speak), *steps])
    async with asking(engine, **seconds) as bot:
        heard = await ask(bot, begun=begun_to_speak)
    assert heard.text == "Hi there! "
    assert len(engine.exchanges) == 1, "what has begun is never asked for again"
    return heard.error


@pytest.mark.parametrize("steps", NONSENSE.values(), ids=NONSENSE.keys())
async def test_after_the_first_word(steps: list[Step]) -> None:
    """The reader keeps the text, and learns that it is incomplete."""
    assert type(await _hear_until(steps)) is BotFailed


async def test_text_in_one_piece_with_an_error_is_the_readers() -> None:
    """As when they arrive separately: the order matters, not the TCP segments."""
    heard, asked = await hear(stream(chunk("Hi there! ") + event({"error": {"message": CANARY}})))
    assert heard.text == "Hi there! "
    assert type(heard.error) is BotFailed
    assert asked == 1


@pytest.mark.parametrize(("code", "error"), REPORTED.values(), ids=REPORTED.keys())
async def test_an_error_in_the_stream_with_the_code_of_a_status_is_as_that_status(
    code: object, error: type[ChatError]
) -> None:
    """The engine had already sent its status."""
    assert type(await _hear_until(stream(event({"error": {"message": CANARY, "code": code}}))[1:])) is error
    assert type(await _hear_until(stream(b"event: error\n" + event({"message": CANARY, "code": code}))[1:])) is error


async def test_silence_after_the_first_word_is_a_timeout() -> None:
    """Each silence is limited."""
    assert type(await _hear_until([], **_SHORT)) is BotTimeout


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(status: int) -> None:
    """Wherever it leads: the key and the message are only for this engine."""
    async with FakeEngine(speaks("Hi ", "there!")) as elsewhere:
        location = {"Location": f"{elsewhere.url}/chat/completions"}
        for script in (answer(status, b"", location), _with_status(status, location)):
            heard, requests = await hear(script, api_key="secret")
            assert (type(heard.error), heard.text, requests) == (BotMisconfigured, "", 1)
        assert elsewhere.connections == []


def _with_status(status: int, headers: dict[str, str]) -> list[Step]:
    """A valid reply with another status."""
    return [head(status, {"Transfer-Encoding": "chunked"} | headers), *speaks("Hi ", "there!")[1:]]


async def test_a_redirect_loop_is_one_request() -> None:
    """To itself."""
    engine = FakeEngine(answer(302, b"", {"Location": "/v1/chat/completions"}))
    async with asking(engine) as bot:
        assert type((await ask(bot)).error) is BotMisconfigured
    assert len(engine.exchanges) == 1


async def test_a_refused_connection_is_unavailable() -> None:
    """Nothing listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with OpenAI(Engine(base_url=f"http://127.0.0.1:{port}/v1", model="m")) as bot:
        assert type((await ask(bot)).error) is BotUnavailable


async def test_an_unknown_host_is_unavailable() -> None:
    """RFC 6761: there is no `.invalid`."""
    async with OpenAI(Engine(base_url="http://engine.invalid/v1", model="m", connect_seconds=2)) as bot:
        assert type((await ask(bot)).error) is BotUnavailable
