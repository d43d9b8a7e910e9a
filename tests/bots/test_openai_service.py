"""The time limits of adapter and service are consistent: one does not end what the other allows."""

import json
from contextlib import AsyncExitStack

import anyio
import pytest

from app.main import create_app
from tests.support.asgi import Client, Whole
from tests.support.completions import DONE, answer, begun, chunk, finish, speaks, stream, usage
from tests.support.engine import FakeEngine, Step
from tests.support.settings import Settings
from tests.support.talk import replied

_HELLO = {"user_message": "hello"}


def _client(engine: FakeEngine, **settings: object) -> Client:
    own = {"bot": "openai", "openai_base_url": engine.url, "openai_model": "m", "first_word_seconds": 2} | settings
    return Client(create_app(Settings.model_validate(own)))


def _code(answered: Whole) -> str:
    return str(answered.json()["type"]).removeprefix("urn:problem:")


_QUEUED: list[Step] = [b": queued\n\n", 0.15]
_WAIT: list[Step] = [b"8\r\n: wait\n\n\r\n", 0.05]
_SLOW: dict[str, list[Step]] = {
    "no head": [0.8, *speaks("Hi")],
    "no token": stream(0.8, chunk("Hi"), finish(), DONE),
    "comments": stream(*_QUEUED * 5, chunk("Hi"), finish(), DONE),
    "between two tokens": stream(chunk("H"), 0.8, chunk("i"), finish(), DONE),
}


@pytest.mark.parametrize("script", _SLOW.values(), ids=_SLOW.keys())
async def test_the_bound_on_a_bots_silence_does_not_end_what_the_engine_works_on(script: list[Step]) -> None:
    """A long prompt or a queue takes minutes without a byte; the adapter has its own limits for that."""
    async with FakeEngine(script) as engine, _client(engine, bot_silence_seconds=0.3) as client:
        assert (await replied(client, "hello")).text == "Hi"


async def test_a_whole_reply_has_its_bound_all_the_same() -> None:
    """Signs of life do not keep a reply running for ever."""
    endless: list[Step] = [*begun(), *_WAIT * 100]
    async with FakeEngine(endless) as engine, _client(engine, reply_seconds=0.5) as client:
        answered = await client.request("POST", "/api/replies", json=_HELLO)
    assert (answered.status, _code(answered)) == (504, "bot-timeout")


async def test_who_would_wait_too_long_gets_a_true_status() -> None:
    """With `Retry-After`, before the status line is due."""
    async with (
        FakeEngine(begun(chunk("Hi "))) as engine,
        _client(engine, openai_max_connections=1, first_word_seconds=0.5) as client,
        client.stream("POST", "/api/chat", json=_HELLO) as running,
    ):
        assert running.status == 200
        for path in ("/api/chat", "/api/replies"):
            with anyio.fail_after(60):
                refused = await client.request("POST", path, json=_HELLO)
            assert (refused.status, _code(refused)) == (503, "bot-busy")
            assert refused.headers["retry-after"] == "1"
        assert len(engine.exchanges) == 1


async def test_a_wrong_key_is_told_as_what_it_is() -> None:
    """A retry does not help, and the problem says so."""
    async with FakeEngine(answer(401)) as engine, _client(engine) as client:
        answered = await client.request("POST", "/api/replies", json=_HELLO)
    assert (answered.status, _code(answered)) == (502, "bot-misconfigured")
    assert answered.json()["retryable"] is False


async def test_as_many_replies_are_let_in_as_can_be_made() -> None:
    """By default the engine's queue has as many places as the service has streams; the service refuses one more."""
    async with (
        FakeEngine(begun(chunk("Hi "))) as engine,
        _client(engine, max_open_streams=3) as client,
        AsyncExitStack() as stack,
    ):
        for _ in range(3):
            await stack.enter_async_context(client.stream("POST", "/api/chat", json=_HELLO))
        assert len(engine.exchanges) == 3
        refused = await client.request("POST", "/api/chat", json=_HELLO)
        assert (refused.status, _code(refused)) == (503, "too-many-streams")


async def test_a_reply_that_is_stopped_tells_what_it_has_cost_so_far() -> None:
    """If the engine sends usage before the end."""
    async with (
        FakeEngine(begun(chunk("Hi "), usage(7, 1), chunk("there "), usage(7, 2), chunk("you"))) as engine,
        _client(engine) as client,
        client.stream("POST", "/api/chat", json=_HELLO) as running,
    ):
        raw = b""
        async for portion in running.chunks():
            raw += portion
            if b"there" in raw:
                break
        await client.request("POST", f"/api/replies/{running.headers['reply-id']}/cancel")
        raw += await running.read()
    done = json.loads(raw.rpartition(b"data: ")[2])
    assert done["finish_reason"] == "cancelled"
    assert done["usage"] == {"prompt_tokens": 7, "completion_tokens": 2}
