"""Law 1: the words give the text, `done` has the text, and the JSON reply has the text; for any text, exactly."""

import json
from collections.abc import AsyncGenerator

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from app.main import create_app
from tests.support.addresses import WHOLE
from tests.support.asgi import Client
from tests.support.settings import Settings
from tests.support.stream import Transcript
from tests.support.texts import is_white_space, normalised, texts

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
