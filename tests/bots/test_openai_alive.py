"""Signs of life, and detection by the first byte: a keep-alive is not a chunk, and `Content-Type` is not reliable."""

import json
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from app.chat.errors import BotFailed, BotTimeout
from app.chat.model import Finish
from tests.bots.asking import HELLO, ask, asking, hear
from tests.support.completions import (
    DONE,
    LAST_CHUNK,
    answer,
    begun,
    choice,
    chunk,
    completion,
    finish,
    framed,
    head,
    in_pieces,
    speaks,
    stream,
    whole,
)
from tests.support.engine import FakeEngine, Step

_HI, _THERE = chunk("Hi "), chunk("there!")
_WHOLE = json.dumps(whole("Hi there!")).encode()
_LINES = b"".join(
    json.dumps(part).encode() + b"\n"
    for part in (completion(choice({"content": "Hi there!"})), completion(choice({}, "stop")))
)

_SIGNS = {
    "Vertex": b"data: : keepalive\n\n",
    "OpenRouter, through a gateway": b"data: : OPENROUTER PROCESSING\n\n",
    "event: ping, with words": b"event: ping\ndata: are you there?\n\n",
    "event: keepalive, with JSON": b'event: keepalive\ndata: {"time": 1}\n\n',
    "Anthropic": b'event: ping\ndata: {"type": "ping"}\n\n',
    "null": b"data: null\n\n",
    "[PING]": b"data: [PING]\n\n",
    "heartbeat": b"data: heartbeat\n\n",
    "a string": b'data: "ping"\n\n',
    "an empty object": b"data: {}\n\n",
    "another event": b"event: metrics\ndata: [1, 2]\n\n",
    "a comment": b": ping\n\n",
    "an empty line": b"\n",
}


@pytest.mark.parametrize("sign", _SIGNS.values(), ids=_SIGNS.keys())
async def test_a_sign_of_life_is_no_chunk(sign: bytes) -> None:
    """Before the first token and between two; and the service sees it."""
    heard, requests = await hear(stream(sign, 0.02, sign, _HI, sign, 0.02, sign, _THERE, sign, finish(), sign, DONE))
    assert (heard.error, heard.text, requests) == (None, "Hi there!", 1)
    assert heard.deltas.count("") > 2


async def test_signs_of_life_are_waited_on_as_long_as_they_come() -> None:
    """Only each silence is limited; the service limits the whole reply."""
    signs: list[Step] = [step for _ in range(6) for step in (b": queued\n\n", 0.15)]
    heard, _ = await hear(stream(*signs, _HI, _THERE, finish(), DONE), first_token_seconds=0.7)
    assert (heard.error, heard.text) == (None, "Hi there!")


@pytest.mark.parametrize("script", [(), begun(), begun(b": x\n\n")], ids=["no head", "no token", "a comment"])
async def test_who_waits_gives_signs_of_life(script: list[Step]) -> None:
    """So the service's limit on a bot's silence does not end what the adapter's own limits allow."""
    engine = FakeEngine(script)
    signs = 0
    async with asking(engine, look_seconds=0.02) as bot:
        with anyio.fail_after(60):
            async with aclosing(bot.reply(HELLO)) as items:
                while signs < 10:
                    assert await anext(items) == ""
                    signs += 1


@pytest.mark.parametrize(
    ("script", "seconds", "setting"),
    [
        ((), {"first_byte_seconds": 0.2}, "FIRST_BYTE"),
        (begun(), {"first_token_seconds": 0.2}, "FIRST_TOKEN"),
        (begun(_HI), {"between_bytes_seconds": 0.2}, "BETWEEN_BYTES"),
    ],
    ids=["head", "first token", "next token"],
)
async def test_each_wait_has_a_bound_of_its_own(
    script: list[Step], seconds: dict[str, Any], setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the setting; the bot's own signs of life do not extend the wait."""
    heard, _ = await hear(script, look_seconds=0.03, **seconds)
    assert type(heard.error) is BotTimeout
    (line,) = caplog.messages
    assert line.endswith(f"Next: raise CHAT_OPENAI_{setting}_SECONDS")


def _labelled(content_type: str, body: bytes) -> list[Step]:
    headers = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
    return [head(200, headers), framed(body), LAST_CHUNK]


_BODY = _HI + _THERE + finish() + DONE


@pytest.mark.parametrize(
    "script",
    [
        _labelled("application/json", _BODY),
        _labelled("text/plain", _BODY),
        _labelled("text/html; charset=utf-8", _BODY),
        _labelled("application/json", b": waiting\n\n" + _BODY),
        _labelled("text/event-stream", _WHOLE),
        _labelled("text/event-stream", b"\n\n  \r\n" + _WHOLE),
        _labelled("text/html", b"\xef\xbb\xbf" + _WHOLE),
        _labelled("application/x-ndjson", _LINES),
        _labelled("application/json", b"\n" * 1000 + _WHOLE),
        in_pieces(_labelled("text/event-stream", b"\xef\xbb\xbf\n" + _WHOLE)),
    ],
    ids=[
        *("events as JSON", "events as text", "events as a page", "a comment first", "JSON as events"),
        *("JSON behind blanks", "JSON as a page", "JSON, a line a chunk", "JSON behind many lines", "in pieces"),
    ],
)
async def test_the_first_byte_tells_and_not_the_label(script: list[Step]) -> None:
    """Gateways send the same `Content-Type` for everything; some send empty lines until the model is done."""
    heard, _ = await hear(script)
    assert (heard.error, heard.text, heard.finish) == (None, "Hi there!", Finish("stop"))


@pytest.mark.parametrize(
    "script",
    [
        _labelled("application/json", b"<html>Sign in</html>"),
        _labelled("text/event-stream", b"\n <!doctype html>"),
        _labelled("text/event-stream", b"\x1f\x8b\x08\x00"),
        _labelled("application/json", b"Service starting"),
        answer(200, b""),
        answer(200, b" \n"),
    ],
    ids=["a page", "a page behind blanks", "compressed", "words", "nothing", "blanks"],
)
async def test_what_is_neither_is_a_failure(script: list[Step], caplog: pytest.LogCaptureFixture) -> None:
    """With a log line that says what came instead."""
    heard, _ = await hear(script)
    assert type(heard.error) is BotFailed
    (line,) = caplog.messages
    assert "Next: " in line


async def test_a_reply_that_waits_is_let_go_at_once() -> None:
    """Even after many signs of life."""
    engine = FakeEngine(speaks("Hi")[:1])
    async with asking(engine, look_seconds=0.01) as bot:
        with anyio.move_on_after(0.1):
            await ask(bot)
        with anyio.fail_after(60):
            await engine.until(lambda: engine.open == 0)
