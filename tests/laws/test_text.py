"""Law 1: the words give the text, `done` has the text, and the JSON reply has the text; for any text, exactly.

And so it is at any instance, whichever generates the reply.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import anyio
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from app.chat.model import Conversation
from app.main import create_app
from tests.support.addresses import CHAT, WHOLE, events_of, reply_at
from tests.support.asgi import Client, Whole
from tests.support.bots import ScriptedBot
from tests.support.databases import fresh_database_url
from tests.support.laws import costly
from tests.support.settings import Settings
from tests.support.stream import Transcript
from tests.support.talk import Echo, got, messages
from tests.support.texts import is_white_space, normalised, pieces, texts
from tests.support.valkey import sharing

_LINE_END = st.sampled_from(["\n", "\r", "\r\n"])


@pytest.fixture(scope="module")
async def client() -> AsyncGenerator[Client, None]:
    """One application with the simulator, for all examples."""
    async with Client(create_app(Settings(bot="simulator"))) as client:
        yield client


async def _streamed(client: Client, message: str, encoding: str = "ascii") -> Transcript:
    body = json.dumps({"user_message": message}, ensure_ascii=encoding == "ascii").encode()
    response = await client.request("POST", "/api/chat", content=body, headers={"content-type": "application/json"})
    return response.transcript()


async def _whole(client: Client, message: str) -> str:
    response = await client.request("POST", WHOLE, json={"user_message": message})
    assert response.status == 200
    text = response.json()["text"]
    assert isinstance(text, str)
    return text


def _is_message(text: str) -> bool:
    """Whether the contract accepts it: not only white space. None of these texts has NUL or is too long."""
    return not all(map(is_white_space, text)) and not text.startswith("/simulate")


@settings(settings.get_profile("laws"))
@given(texts, st.sampled_from(["ascii", "utf-8"]))
@example("/simulat", "ascii")
@example(" /simulate chunk=1\nx", "ascii")
@example("\ufeffx", "utf-8")
@example("x" * 16_000, "ascii")
@example("\U0001f469\u200d\U0001f4bb" * 5_333, "utf-8")
async def test_the_simulator_echoes_any_text_exactly(client: Client, text: str, encoding: str) -> None:
    """As a stream and as JSON, and whether or not the message's characters are escaped."""
    assume(_is_message(text))
    transcript = await _streamed(client, text, encoding)
    assert transcript.text == transcript.reply.text == normalised(text)
    assert transcript.reply.finish_reason == "stop"
    assert await _whole(client, text) == normalised(text)


@settings(settings.get_profile("laws"))
@given(texts, st.integers(1, 30), _LINE_END)
@example("a\r\nb", 2, "\r\n")
@example("\n \u3000", 1, "\r")
async def test_deltas_of_any_size_give_the_same_words(client: Client, text: str, chunk: int, line_end: str) -> None:
    """A model's token boundaries must not be visible."""
    assume(not (line_end == "\r" and text.startswith("\n")))  # together they are one line ending
    whole = await _streamed(client, f"/simulate{line_end}{text}")
    in_pieces = await _streamed(client, f"/simulate chunk={chunk}{line_end}{text}")
    assert in_pieces.words == whole.words
    assert whole.text == in_pieces.reply.text == normalised(text)
    assert await _whole(client, f"/simulate chunk={chunk}{line_end}{text}") == normalised(text)


@given(texts, st.integers(1, 5), st.sampled_from(["", " chunk=3"]))
async def test_a_repeated_text_is_echoed_exactly(client: Client, text: str, repeat: int, chunk: str) -> None:
    """Where repetitions meet, a CR and the next LF are one line break."""
    transcript = await _streamed(client, f"/simulate repeat={repeat}{chunk}\n{text}")
    assert transcript.text == normalised(text * repeat)


@pytest.fixture(scope="module", params=["PostgreSQL alone", "Valkey"])
async def two(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[list[Client], ScriptedBot], None]:
    """Two instances for all examples. What they share are words, or what is saved often."""
    bot = ScriptedBot(Echo().reply)
    known: dict[str, object] = {"database_url": fresh_database_url("postgresql"), "save_every_seconds": 0.002}
    if request.param == "Valkey":
        known |= sharing() | {"save_every_seconds": 1}
    async with AsyncExitStack() as stack:
        apps = [create_app(Settings.model_validate(known), bot) for _ in range(2)]
        yield [await stack.enter_async_context(Client(app)) for app in apps], bot


@costly(5)
@given(texts.flatmap(pieces), st.integers(0, 1))
async def test_the_text_is_the_same_at_any_instance(
    two: tuple[list[Client], ScriptedBot], said: list[str], maker: int
) -> None:
    """However it is split into deltas: while it is generated, and afterwards as a stream, as JSON and as a message."""
    clients, bot = two

    async def speak(_: Conversation) -> AsyncGenerator[str, None]:
        yield "so "
        for delta in said:
            yield delta
            await anyio.sleep(0.003)

    bot.script = speak
    here, there = clients[maker], clients[1 - maker]
    async with here.stream("POST", CHAT, json={"user_message": "go on"}) as response:
        reply_id = response.headers["reply-id"]
        remote = (await there.request("GET", events_of(reply_id))).transcript()
        told = Whole(200, {}, await response.read()).transcript()
    assert told.text == told.reply.text == normalised("so " + "".join(said))
    assert (remote.words, remote.end) == (told.words, told.end)
    again = (await there.request("GET", events_of(reply_id))).transcript()
    assert (again.words, again.end) == (told.words, told.end)
    assert (await got(there, reply_at(reply_id)))["text"] == told.text
    assert (await messages(there, response.headers["conversation-id"]))[1]["text"] == told.text
