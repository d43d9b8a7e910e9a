"""An instance that ends while replies of another one are read there."""

import http.client
from contextlib import ExitStack, closing
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.support.addresses import CHAT, WHOLE, events_of
from tests.support.asgi import Whole
from tests.support.bots import GatedBot, no_open_reply
from tests.support.databases import fresh_database_url
from tests.support.server import LiveServer
from tests.support.talk import Echo, ask, cancelled, problem, service
from tests.support.valkey import sharing
from tests.support.wire import Wire, post

_GO_ON = {"user_message": "go on"}


@pytest.mark.parametrize("drain_seconds", [0.3, 600], ids=["while one of its own runs", "while none of its own runs"])
async def test_a_stream_breaks_off_and_is_resumed(drain_seconds: float) -> None:
    """It has no end, so no client takes what it has for the whole reply. The reply goes on.

    That comes with the end of the drain, or at once where there is nothing else to wait for.
    """
    url = fresh_database_url("postgresql")
    bot = GatedBot()
    settings: dict[str, Any] = sharing() | {"resume_window_seconds": 60}
    bot.let_through(2)
    async with service(url, bot, **settings) as (first, _), first.stream("POST", CHAT, json=_GO_ON) as here:
        await here.head()
        reply_id = here.headers["reply-id"]

        def read() -> bytes:
            with LiveServer(database_url=url, drain_seconds=drain_seconds, **settings) as other, ExitStack() as stack:
                if drain_seconds < 1:
                    own = stack.enter_context(Wire(other.port))
                    own.send(post("/simulate stall_after=2\nhello there again"))
                    own.receive_until(b"data: hello ")
                with closing(http.client.HTTPConnection("127.0.0.1", other.port, timeout=60)) as connection:
                    connection.request("GET", events_of(reply_id))
                    response = connection.getresponse()
                    raw = response.readline()
                    other.terminate()
                    with pytest.raises(http.client.IncompleteRead) as caught:
                        raw += response.read()
                other.wait(60)
                assert "Exception" not in other.log()
            return raw + caught.value.partial

        raw = await anyio.to_thread.run_sync(read)
        assert (raw.count(b"data: word"), raw.count(b"event: ")) == (1, 0)
        bot.let_through(1)
        await cancelled(first, reply_id)
        transcript = Whole(200, {}, await here.read()).transcript()
        assert transcript.reply.finish_reason == "cancelled"


async def test_whoever_waits_for_a_whole_reply_asks_again() -> None:
    """Also who comes when the drain is over: it is a 503, and not the reply that has failed."""
    url = fresh_database_url("postgresql")
    bot = GatedBot()
    settings = sharing() | {"resume_window_seconds": 60, "first_word_seconds": 0.1}
    async with service(url, bot, **settings) as (first, _), service(url, Echo(), **settings) as (second, app):
        key = {"idempotency-key": "a"}
        async with first.stream("POST", CHAT, json=_GO_ON, headers=key) as here:
            await here.head()
            answers: list[Whole] = []

            async def wait() -> None:
                answers.append(await ask(second, "go on", path=WHOLE, idempotency_key="a"))

            async with anyio.create_task_group() as group:
                group.start_soon(wait)
                await anyio.sleep(0.2)
                await app.state.replies.drain(0.01)
            await wait()
            answers.append(await second.request("GET", events_of(here.headers["reply-id"])))
            assert [problem(answer) for answer in answers] == [(503, "reply-elsewhere")] * 3
            assert all(answer.headers["retry-after"] == "1" for answer in answers)
            await no_open_reply(app)
            await cancelled(first, here.headers["reply-id"])
            await here.read()
