"""What the engine is sent: the conversation, the settings, and nothing else."""

import asyncio
from contextlib import aclosing

import anyio
import pytest

from app.chat.model import Conversation, Message
from tests.bots.asking import HELLO, TALK, WHOLE, ask, asking
from tests.support.completions import LAST_CHUNK, answer, begun, chunk, finish, speaks, stream
from tests.support.engine import CLOSE, Exchange, FakeEngine, Script

_MESSAGES = [
    {"role": "user", "content": "hello"},
    {"role": "assistant", "content": "Hi!"},
    {"role": "user", "content": "Who are you?"},
]


async def _request(conversation: Conversation = HELLO, path: str = "", **settings: object) -> Exchange:
    """The request of a bot with these settings; `path` is appended to the engine's URL."""
    engine = FakeEngine(WHOLE)
    async with engine, asking(FakeEngine(), **{"base_url": engine.url + path} | settings) as bot:
        assert (await ask(bot, conversation)).error is None
    (exchange,) = engine.exchanges
    return exchange


async def test_a_request_is_as_the_reference_has_it() -> None:
    """Without any optional fields: engines differ in what they accept."""
    request = await _request(TALK, model="some/model")
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["accept-encoding"] == "identity"
    assert "authorization" not in request.headers
    assert request.body == {
        "model": "some/model",
        "messages": _MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("path", "requested"),
    [("/", "/v1/chat/completions"), ("/a%2Fb/", "/v1/a%2Fb/chat/completions"), ("?v=1", "/v1/chat/completions?v=1")],
)
async def test_the_address_may_end_in_a_slash_or_have_a_query(path: str, requested: str) -> None:
    """Azure requires a query, and people add slashes."""
    assert (await _request(path=path)).path == requested


async def test_settings_go_along() -> None:
    """Each in its place."""
    request = await _request(
        TALK, api_key="key", system_prompt="Be brief.", temperature=0.0, max_tokens=5, headers={"X-Title": "chat"}
    )
    assert request.headers["authorization"] == "Bearer key"
    assert request.headers["x-title"] == "chat"
    assert request.body["messages"] == [{"role": "system", "content": "Be brief."}, *_MESSAGES]
    assert (request.body["temperature"], request.body["max_tokens"]) == (0.0, 5)


async def test_headers_of_ones_own_win() -> None:
    """Some engines expect the key in another header."""
    request = await _request(api_key="key", headers={"authorization": "Basic x", "Accept": "*/*"})
    assert request.headers["authorization"] == "Basic x"
    assert request.headers["accept"] == "*/*"


async def test_fields_of_ones_own_win_and_null_takes_one_out() -> None:
    """Newer models require `max_completion_tokens`, and older engines do not support `stream_options`."""
    extra = {"stream_options": None, "max_tokens": None, "max_completion_tokens": 9, "seed": 0, "stop": ["x"]}
    body = (await _request(max_tokens=5, extra_body=extra)).body
    assert body.keys() == {"model", "messages", "stream", "max_completion_tokens", "seed", "stop"}
    assert (body["max_completion_tokens"], body["seed"], body["stop"]) == (9, 0, ["x"])


@pytest.mark.parametrize(
    "text",
    ['"\\\r\n\t\0', "Grüße, 日本語 👩‍💻\u2028\ufeff", "x" * 300_000, ""],
    ids=["JSON", "Unicode", "long", "empty"],
)
async def test_the_message_arrives_as_it_was_written(text: str) -> None:
    """Every character of it."""
    request = await _request(Conversation((Message("user", text),)))
    assert request.body["messages"] == [{"role": "user", "content": text}]


async def test_cookies_are_not_kept() -> None:
    """They would link requests of different users."""
    engine = FakeEngine(stream(chunk("x"), finish(), headers={"Set-Cookie": "session=1; Path=/"}))
    async with asking(engine) as bot:
        for _ in range(2):
            await ask(bot)
    assert len(engine.exchanges) == 2
    assert "cookie" not in engine.exchanges[1].headers


async def test_a_connection_that_was_read_to_its_end_is_used_again() -> None:
    """Even if the end of the body arrives slightly after the end of the stream."""
    engine = FakeEngine(WHOLE, [*WHOLE[:-1], 0.001, LAST_CHUNK], WHOLE)
    async with asking(engine) as bot:
        for _ in range(3):
            assert (await ask(bot)).text == "Hi there!"
    assert len(engine.connections) == 1


async def test_replies_wait_for_a_connection_and_do_not_share_one() -> None:
    """Three replies over one connection come one after another, without mixing their words."""
    engine = FakeEngine(*[stream(chunk(f"{n} "), 0.01, chunk(str(n)), finish()) for n in range(3)])
    async with asking(engine, connections=1) as bot:
        heard = await asyncio.gather(*[ask(bot) for _ in range(3)])
    assert sorted(reply.text for reply in heard) == ["0 0", "1 1", "2 2"]
    assert len(engine.connections) == 1


@pytest.mark.parametrize(
    "script",
    [(), begun(), begun(chunk("Hi "), chunk("there ")), [*answer(503), CLOSE], speaks("Hi ")[:-1]],
    ids=["before the head", "before the first word", "between two words", "between two tries", "before the end"],
)
async def test_a_reply_that_is_closed_early_hangs_up(script: Script) -> None:
    """At once, without further requests."""
    engine = FakeEngine(script, ())
    async with asking(engine) as bot:
        with anyio.move_on_after(0.05):
            async with aclosing(bot.reply(HELLO)) as items:
                assert await anext(items) in {"Hi ", "Hi there "}
        with anyio.fail_after(60):
            await engine.until(lambda: engine.open == 0)
        assert len(engine.exchanges) == 1
