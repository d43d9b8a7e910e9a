"""A page that is loaded again in the middle of a run reads it by its id, and gets what its request would get."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import anyio
import pytest

from app.chat.errors import BotFailed
from app.chat.model import Conversation, Finish
from app.main import create_app
from app.storage.address import database_url
from app.storage.database import Database
from tests.support.addresses import cancel_of, conversation_at
from tests.support.agui import AG_UI, agui_asked, check_run, rejoined, rejoined_at, users
from tests.support.asgi import Client
from tests.support.bots import GatedBot, ScriptedBot, no_open_reply
from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.settings import Settings
from tests.support.talk import Echo, messages, problem, replied, service

_PATIENCE_SECONDS = 60.0
_THREAD = conversation_at("trip-to-lisbon")


@pytest.mark.parametrize("retention_seconds", [60, 0], ids=["from memory", "from the store"])
async def test_a_run_is_read_by_its_id_as_by_its_request(retention_seconds: int) -> None:
    """Byte for byte: from its beginning, and after each of its events."""
    async with service(fresh_database_url(), retention_seconds=retention_seconds) as (client, app):
        body = agui_asked(users("/simulate pace_ms=1\none two three"))
        first = check_run((await client.request("POST", AG_UI, json=body)).content)
        await no_open_reply(app)
        for last_id in ("", *first.ids):
            headers = {"last-event-id": last_id}
            again = await client.request("POST", AG_UI, json=body, headers=headers)
            by_id = await client.request("GET", rejoined_at("run-1"), headers=headers)
            assert (by_id.status, by_id.content) == (200, again.content)
            assert by_id.headers["reply-id"] == again.headers["reply-id"] == first.reply_id


async def test_a_run_is_read_while_it_goes_on_and_a_page_that_is_back_keeps_it_going() -> None:
    """From its beginning to its end, with what came meanwhile. Nothing is generated twice."""
    bot = GatedBot()
    app = create_app(Settings(resume_window_seconds=60, max_reply_characters=24), bot)
    async with Client(app) as client:
        async with client.open("POST", AG_UI, json=agui_asked(users("go"))) as response:
            bot.let_through(2)
            assert (await response.head()).status == 200
        async with client.stream("GET", rejoined_at("run-1")) as response:
            bot.let_through(1000)
            told = check_run(await response.read())
    assert (told.text, told.finish_reason, told.outcome) == ("word1 word2 word3 word4 ", "length", "success")
    assert bot.pulled <= 5


async def test_a_run_without_a_word_yet_is_joined_at_once() -> None:
    """A page that hears nothing for two seconds gives up."""
    bot = GatedBot()
    app = create_app(Settings(first_word_seconds=3600, max_reply_characters=12), bot)
    async with Client(app) as client, client.open("POST", AG_UI, json=agui_asked(users("go"))):
        with anyio.fail_after(_PATIENCE_SECONDS):
            while (await client.request("HEAD", rejoined_at("run-1"))).status == 404:
                pass
        async with client.stream("GET", rejoined_at("run-1")) as response:
            first = await anext(response.chunks())
            assert b"RUN_STARTED" in first
            bot.let_through(1000)
            assert check_run(first + await response.read()).text == "word1 word2 "


async def test_a_run_that_is_read_by_its_id_is_cancelled_and_left_as_any() -> None:
    """When its last reader has left, or at once."""
    for ending in ("left", "cancelled"):
        bot = GatedBot()
        app = create_app(Settings(resume_window_seconds=0, first_word_seconds=0.01), bot)
        async with Client(app) as client, AsyncExitStack() as page, AsyncExitStack() as page_that_is_back:
            first = await page.enter_async_context(client.stream("POST", AG_UI, json=agui_asked(users("go"))))
            again = await page_that_is_back.enter_async_context(client.stream("GET", rejoined_at("run-1")))
            assert again.headers["reply-id"] == first.headers["reply-id"]
            await page.aclose()
            bot.let_through(2)  # a word is whole when the next one begins
            raw = b""
            while b"word1" not in raw:
                raw += await anext(again.chunks())
            if ending == "cancelled":
                assert (await client.request("POST", cancel_of(again.headers["reply-id"]))).status == 204
                assert check_run(raw + await again.read()).outcome == "cancelled"
            await page_that_is_back.aclose()
            with anyio.fail_after(_PATIENCE_SECONDS):
                await bot.closed.wait()


async def test_a_run_that_failed_ends_in_its_error_until_it_is_run_again() -> None:
    """Also if it failed before its first word: a page that is loaded again is told, and starts nothing."""
    attempts = itertools.count()

    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        if next(attempts) == 0:
            raise BotFailed
        yield "there"

    async with service(fresh_database_url(), ScriptedBot(script)) as (client, _):
        body = agui_asked(users("hello"))
        assert problem(await client.request("POST", AG_UI, json=body)) == (502, "bot-failed")
        failed = await rejoined(client, "run-1")
        assert (failed.text, failed.code) == ("", "bot-failed")
        assert await rejoined(client, "run-1") == failed
        assert check_run((await client.request("POST", AG_UI, json=body)).content).text == "there"
        whole = await rejoined(client, "run-1")
        assert (whole.text, whole.outcome) == ("there", "success")
        answer = await client.request("GET", rejoined_at("run-1"), headers={"last-event-id": failed.ids[-1]})
        assert problem(answer) == (409, "cursor-of-another-reply")


async def test_the_thread_of_a_run_that_is_read_by_its_id_is_what_its_client_calls_it() -> None:
    """Or the id of a conversation that no client has named."""
    async with service(fresh_database_url()) as (client, _):
        ours = await replied(client, "hello")
        for number, thread in enumerate(("trip-to-lisbon", "f" * 32, ours.conversation_id)):
            body = agui_asked(users("more"), threadId=thread, runId=f"run {number} ü")
            first = await client.request("POST", AG_UI, json=body)
            again = await client.request("GET", rejoined_at(f"run {number} ü"))
            assert check_run(again.content) == check_run(first.content)
            assert f'"threadId":"{thread}"'.encode() in again.content


async def test_a_run_is_found_only_by_an_id_of_its_own() -> None:
    """None is guessed if another thread has one of the same id, nor once its conversation is deleted."""
    unknown = (404, "run-not-found")
    async with service(fresh_database_url(), Echo()) as (client, _):
        for run_id, thread in (("run-1", "trip-to-lisbon"), ("run-1", "another"), ("run-11", "another")):
            body = agui_asked(users("hello"), threadId=thread, runId=run_id)
            assert check_run((await client.request("POST", AG_UI, json=body)).content).text == "hello"
        assert problem(await client.request("GET", rejoined_at("run-1"))) == unknown
        assert (await rejoined(client, "run-11")).text == "hello"
        await client.request("DELETE", conversation_at("another"))
        assert (await rejoined(client, "run-1")).text == "hello"
        await client.request("DELETE", _THREAD)
        assert problem(await client.request("GET", rejoined_at("run-1"))) == unknown


async def test_a_run_is_forgotten_after_a_day() -> None:
    """As it is when its request is repeated; what was said stays in the conversation."""
    url = fresh_database_url()
    async with service(url) as (client, _):
        await client.request("POST", AG_UI, json=agui_asked(users("hello")))
        assert (await rejoined(client, "run-1")).text == "hello"
    async with Database(database_url(url), _PATIENCE_SECONDS) as database:
        await database.store.forget_keys(2**53)
    async with service(url) as (client, _):
        assert problem(await client.request("GET", rejoined_at("run-1"))) == (404, "run-not-found")
        assert [each["text"] for each in await messages(client, "trip-to-lisbon")] == ["hello", "hello"]


async def test_a_reply_is_read_as_a_run_whoever_asked_for_it() -> None:
    """By its id, which a client finds in the conversation: so another device reads what is running."""
    bot = GatedBot()
    async with service(fresh_database_url(), bot, max_reply_characters=12) as (client, _):
        async with client.open("POST", AG_UI, json=agui_asked(users("go"))) as response:
            bot.let_through(2)
            await response.head()
            running = (await messages(client, "trip-to-lisbon"))[-1]
            assert running["state"] == "running"
            async with client.stream("GET", rejoined_at(running["reply_id"])) as again:
                bot.let_through(1000)
                told = check_run(raw := await again.read())
        assert (told.text, told.reply_id) == ("word1 word2 ", running["reply_id"])
        assert f'"threadId":"trip-to-lisbon","runId":"{told.reply_id}"'.encode() in raw
        ours = await replied(client, "hello")
        assert (await rejoined(client, ours.reply_id)).text == ours.text
        assert (
            f'"threadId":"{ours.conversation_id}"'.encode()
            in (await client.request("GET", rejoined_at(ours.reply_id))).content
        )


async def test_nobody_else_finds_a_run() -> None:
    """By its id, or with the id of an event; each principal has runs of its own."""
    url = fresh_database_url()
    one, two = [{"authorization": bearer((await made_key(url, name))[0])} for name in ("one", "two")]
    async with service(url) as (client, _):
        body = agui_asked(users("hello"))
        mine = check_run((await client.request("POST", AG_UI, json=body, headers=one)).content)
        for run_id in ("run-1", mine.reply_id or ""):
            for headers in (two, two | {"last-event-id": mine.ids[-1]}):
                answer = await client.request("GET", rejoined_at(run_id), headers=headers)
                assert problem(answer) == (404, "run-not-found")
        theirs = check_run((await client.request("POST", AG_UI, json=body, headers=two)).content)
        assert await rejoined(client, "run-1", **two) == theirs
        assert await rejoined(client, "run-1", **one) == mine


@pytest.mark.parametrize(
    "query",
    ["", "runId=", "offset=-1", "runId=a&offset=0", "runId=a&offset=", f"runId={'a' * 1001}", "runId=%FF"],
)
async def test_a_query_that_names_no_run_is_refused(client: Client, query: str) -> None:
    """Only its beginning can be asked for, or what follows an event."""
    assert problem(await client.request("GET", f"{AG_UI}?{query}")) == (400, "malformed-run")
