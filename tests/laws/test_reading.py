"""The current state of a reply, and what happens to a reply without readers."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import anyio
import pytest

from app.chat.access import EVERYBODY
from app.chat.model import Conversation, Finish
from app.chat.replies import Replies
from app.main import create_app
from tests.support.addresses import BOTH, CHAT, events_of, reply_at
from tests.support.asgi import Client
from tests.support.bots import GatedBot, ScriptedBot, no_open_reply, open_replies
from tests.support.databases import fresh_database_url, locked, run_sql
from tests.support.settings import Settings
from tests.support.talk import cancelled, got, replied

_ASK = {"user_message": "go on"}


async def test_a_reply_is_shown_as_it_stands() -> None:
    """While it is generated, with the words so far; afterwards, with its end. Looking does not keep it running."""
    bot = GatedBot()
    app = create_app(Settings(first_word_seconds=0.01), bot)
    async with Client(app) as client:
        async with client.stream("POST", CHAT, json=_ASK) as response:
            path = reply_at(response.headers["reply-id"])
            running = {"state": "running", "text": "", "words": 0}
            names = {"reply_id": response.headers["reply-id"], "conversation_id": response.headers["conversation-id"]}
            assert await got(client, path) == names | running
            bot.let_through(3)
            chunks = response.chunks()
            while b":2\n" not in await anext(chunks):
                pass
            assert await got(client, path) == names | running | {"text": "word1 word2 ", "words": 2}
            head = await client.request("HEAD", path)
            assert head.status == 200
        with anyio.fail_after(60):
            await bot.closed.wait()
        await no_open_reply(app)
        end = {"state": "cancelled", "finish_reason": "abandoned", "text": "word1 word2 word3 ", "words": 3}
        assert await got(client, path) == names | end


async def test_no_word_is_shown_before_its_message_is_stored() -> None:
    """If the server died then, the reply would never have existed."""
    said = anyio.Event()

    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        yield "Hi there. "
        yield "And more"
        said.set()
        await anyio.sleep_forever()

    url = fresh_database_url()
    app = create_app(Settings(database_url=url, first_word_seconds=0.01), ScriptedBot(script))
    replies: Replies = app.state.replies
    async with Client(app) as client, AsyncExitStack() as stack:
        async with locked(url):
            response = await stack.enter_async_context(client.open("POST", CHAT, json=_ASK))
            with anyio.fail_after(60):
                await said.wait()
            (reply,) = replies._registry.running  # noqa: SLF001 - no client knows its id yet
            snapshot = await replies.known.snapshot(reply.reply_id, EVERYBODY)
            assert (snapshot.state, snapshot.text, snapshot.words) == ("running", "", 0)
            assert response.status == 0
        await response.head()
        assert (await got(client, reply_at(reply.reply_id)))["text"] == "Hi there. And "


@pytest.mark.parametrize("path", BOTH)
async def test_a_reply_goes_on_without_a_reader_if_that_is_wished(path: str) -> None:
    """To its end, so that it can be read later."""
    bot = GatedBot()
    bot.let_through(2)
    app = create_app(Settings(max_reply_characters=30), bot)
    async with Client(app) as client:
        body = _ASK | {"on_disconnect": "continue"}
        async with client.open("POST", path, json=body, headers={"idempotency-key": "a"}):
            with anyio.fail_after(60):
                while bot.pulled < 2:
                    await anyio.lowlevel.checkpoint()
        assert open_replies(app) == 1
        bot.let_through(10)
        await no_open_reply(app)
        reply = await replied(client, "go on", idempotency_key="a")
        assert (reply.finish_reason, reply.text) == ("length", "word1 word2 word3 word4 word5 ")


@pytest.mark.parametrize("wish", ["continue", "cancel", None])
async def test_how_long_a_reply_goes_on_is_the_operators_to_say(wish: str | None) -> None:
    """If the setting is 0, the request is ignored, and the resume window applies."""
    for bounds, goes_on in (
        ({"unread_seconds": 0}, False),
        ({"unread_seconds": 0.02}, False),
        ({"unread_seconds": 3600}, wish == "continue"),
        ({"unread_seconds": 0, "resume_window_seconds": 3600}, True),
    ):
        bot = GatedBot()
        app = create_app(Settings.model_validate(bounds | {"first_word_seconds": 0.01}), bot)
        async with Client(app) as client:
            async with client.stream("POST", CHAT, json=_ASK | ({"on_disconnect": wish} if wish else {})) as response:
                reply_id = response.headers["reply-id"]
            if goes_on:
                bot.let_through(2)
                async with client.stream("GET", events_of(reply_id)) as again:
                    assert b"data: word1 \n" in await anext(again.chunks())
                assert (await got(client, reply_at(reply_id)))["state"] == "running"
                await cancelled(client, reply_id)
            with anyio.fail_after(60):
                await bot.closed.wait()
            await no_open_reply(app)
            reason = (await got(client, reply_at(reply_id)))["finish_reason"]
            assert reason == ("cancelled" if goes_on else "abandoned")


async def test_a_look_at_the_head_of_a_stream_is_no_reader() -> None:
    """Otherwise it would keep an unread reply running, or end it by leaving."""
    bot = GatedBot()
    bot.let_through(2)
    app = create_app(Settings(resume_window_seconds=3600), bot)
    async with Client(app) as client, client.stream("POST", CHAT, json=_ASK) as response:
        path = events_of(response.headers["reply-id"])
        head = await client.request("HEAD", path)
        assert (head.status, head.content) == (200, b"")
        assert head.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert head.headers["content-location"] == "events"
        assert open_replies(app) == 1
        await cancelled(client, response.headers["reply-id"])
        await response.read()


async def test_an_interrupted_reply_is_shown_with_its_problem() -> None:
    """With the text as far as it was saved; and a failed one with its own problem."""
    url = fresh_database_url()
    bot = GatedBot()
    bot.let_through(3)
    async with Client(create_app(Settings(database_url=url, resume_window_seconds=60), bot)) as client:
        async with client.stream("POST", CHAT, json=_ASK) as response:
            await anext(response.chunks())
        reply_id = response.headers["reply-id"]
    # The service has stopped cleanly here; after a crash, the next one finds the reply running, without an owner.
    await run_sql(url, "UPDATE messages SET state = 'running', text = 'word1 ', words = 1 WHERE position = 1")
    async with Client(create_app(Settings(database_url=url), bot)) as client:
        reply = await got(client, reply_at(reply_id))
        assert (reply["state"], reply["text"], reply["words"]) == ("interrupted", "word1 ", 1)
        assert reply["problem"]["type"] == "urn:problem:reply-interrupted"
        assert (reply["problem"]["words"], reply["problem"]["retryable"]) == (1, True)
        assert "finish_reason" not in reply
