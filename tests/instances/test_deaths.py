"""What becomes of a reply whose instance dies or stands still, for those who read it at another one, over Valkey."""

import signal
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
import psutil

from app.chat.model import Conversation
from tests.support.addresses import CHAT, conversation_at, events_of
from tests.support.asgi import Client, Response, Whole
from tests.support.bots import ScriptedBot
from tests.support.databases import fresh_database_url, run_sql
from tests.support.server import LiveServer
from tests.support.service import SERVICE
from tests.support.talk import ask, cancelled, replied, service
from tests.support.upstream import Upstream
from tests.support.valkey import sharing
from tests.support.wire import Wire, post

_REPLIES = "SELECT state, text, words FROM messages WHERE role = 'assistant'"
_NEVER = 3600


@dataclass(frozen=True, slots=True)
class _Pair:
    """A process that generates replies, and an instance in this process where they are read."""

    url: str
    maker: LiveServer
    other: Client


@asynccontextmanager
async def _pair() -> AsyncIterator[_Pair]:
    url = fresh_database_url("postgresql")
    settings: dict[str, Any] = sharing() | {"lease_seconds": 2, "first_word_seconds": 0.2}
    with LiveServer(program=SERVICE, save_every_seconds=_NEVER, database_url=url, **settings) as maker:
        async with service(url, **(settings | {"save_every_seconds": 1})) as (other, _):
            yield _Pair(url, maker, other)


@contextmanager
def _asked(pair: _Pair) -> Iterator[tuple[Wire, Upstream]]:
    with Upstream() as upstream, Wire(pair.maker.port) as wire:
        wire.send(post(upstream.message, {"Idempotency-Key": "a"}))
        upstream.accept()
        yield wire, upstream


async def _read_until(response: Response, wanted: bytes) -> bytes:
    raw = b""
    with anyio.fail_after(60):
        async for chunk in response.chunks():
            raw += chunk
            if wanted in raw:
                return raw
    raise AssertionError(raw)


async def _reply_id(url: str) -> str:
    with anyio.fail_after(60):
        while not (rows := await run_sql(url, "SELECT reply_id FROM messages WHERE role = 'assistant'")):
            await anyio.sleep(0.05)
    return str(rows[0][0])


async def test_what_was_read_elsewhere_is_stored_when_the_maker_is_killed() -> None:
    """It had saved none of it. The readers get one end; a repeat of the request gets one new reply."""
    async with _pair() as pair:
        with _asked(pair) as (_, upstream):
            for word in ("one", "two", "three", "four"):
                upstream.say(word)
            reply_id = await _reply_id(pair.url)
            async with pair.other.stream("GET", events_of(reply_id)) as reader:
                raw = await _read_until(reader, b"data: three\n")
                pair.maker.process.kill()
                with anyio.fail_after(60):
                    raw += await reader.read()
        transcript = Whole(200, {}, raw).transcript()
        assert transcript.problem.type == "urn:problem:reply-interrupted"
        text = "".join(transcript.words)
        with anyio.fail_after(60):
            while (stored := await run_sql(pair.url, _REPLIES)) != [("interrupted", text, 3)]:
                assert stored[0][0] == "running", "what is told to be over does not grow"
                await anyio.sleep(0.05)
        again = await pair.other.request("GET", events_of(reply_id))
        assert again.transcript() == transcript
        await cancelled(pair.other, reply_id)
        repeated = await ask(pair.other, upstream.message, idempotency_key="a")
        assert repeated.status == 200
        assert await run_sql(pair.url, "SELECT count(*) FROM messages WHERE role = 'assistant'") == [(1,)]


async def test_a_maker_that_stood_still_for_its_lease_adds_nothing() -> None:
    """Neither words nor a second end, for nobody, though its bot goes on; nor does what was deleted come back."""
    async with _pair() as pair:
        with _asked(pair) as (wire, upstream):
            upstream.say("one")
            upstream.say("two")
            before = await anyio.to_thread.run_sync(wire.receive_until, b"data: one\n")
            reply_id = await _reply_id(pair.url)
            async with pair.other.stream("GET", events_of(reply_id)) as reader:
                raw = await _read_until(reader, b"data: one\n")
                process = psutil.Process(pair.maker.process.pid)
                process.send_signal(signal.SIGSTOP)
                upstream.say("three")
                upstream.say("four")
                with anyio.fail_after(60):
                    raw += await reader.read()
                process.send_signal(signal.SIGCONT)
            rest = await anyio.to_thread.run_sync(wire.receive_until, b"0\r\n\r\n")
        assert Whole(200, {}, raw).transcript().problem.type == "urn:problem:reply-interrupted"
        everything = before + rest
        assert everything.count(b"event: failed") == 1
        assert b"three" not in everything
        assert b"four" not in everything
        assert (await pair.other.request("GET", events_of(reply_id))).content == raw
        ((conversation_id,),) = await run_sql(pair.url, "SELECT id FROM conversations")
        assert (await pair.other.request("DELETE", conversation_at(conversation_id))).status == 204
        assert (await replied(pair.other, "hello")).state == "completed"
        with Wire(pair.maker.port) as again:
            again.send(post("hello", path=CHAT))
            assert (await anyio.to_thread.run_sync(again.answer)).status == 200
        assert await run_sql(pair.url, "SELECT count(*) FROM conversations") == [(2,)]


async def test_a_standstill_that_nobody_has_noticed_costs_nothing() -> None:
    """Words are held back until the next sign of life, and come then."""
    url = fresh_database_url("postgresql")
    bot = ScriptedBot(_two_halves)
    async with service(url, bot, lease_seconds=2) as (client, app):
        async with client.stream("POST", CHAT, json={"user_message": "go on"}) as here:
            raw = await _read_until(here, b"data: so ")
            app.state.replies.peers.suspend()  # as if the process had stood still
            raw += await here.read()
        assert Whole(200, {}, raw).transcript().text == "so it goes on "
    assert await run_sql(url, "SELECT state, text FROM messages WHERE role = 'assistant'") == [
        ("completed", "so it goes on ")
    ]


async def _two_halves(_: Conversation) -> AsyncGenerator[str, None]:
    for half in ("so it ", "goes ", "on "):
        yield half
        await anyio.sleep(0.5)
