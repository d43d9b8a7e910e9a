"""Conversations that are stored: what the bot is shown of them, how they are listed, read and forgotten."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from app.chat.errors import BotFailed
from app.chat.model import Conversation, Finish
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot, ScriptedBot
from tests.support.talk import Echo, ask, got, messages, problem, replied, service

_NOBODY = "0" * 32


async def test_the_bot_sees_what_was_said_before(database_url: str) -> None:
    """Of this conversation and no other, oldest first, its own replies too; after a restart as well."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        first = await replied(client, "one")
        await replied(client, "another conversation")
        second = await replied(client, "two", first.conversation_id)
    async with service(database_url, bot) as (client, _):
        await replied(client, "three", first.conversation_id)
    assert second.conversation_id == first.conversation_id
    assert bot.seen[-1] == [
        ("user", "one"),
        ("assistant", "one"),
        ("user", "two"),
        ("assistant", "two"),
        ("user", "three"),
    ]


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        ({"history_messages": 0}, 0),
        ({"history_messages": 1}, 0),
        ({"history_messages": 3}, 2),
        ({"history_messages": 100}, 8),
        ({"history_characters": 0}, 0),
        ({"history_characters": 9}, 0),
        ({"history_characters": 10}, 0),
        ({"history_characters": 39}, 2),
    ],
    ids=str,
)
async def test_the_history_is_bounded(bounds: dict[str, int], shown: int, database_url: str) -> None:
    """In number and in characters; what is left out is the oldest turns. Each message here has ten characters."""
    bot = Echo()
    async with service(database_url, bot, **bounds) as (client, _):
        conversation_id = (await replied(client, "message  0")).conversation_id
        for n in range(1, 5):
            await replied(client, f"message  {n}", conversation_id)
    said = [(role, f"message  {n}") for n in range(4) for role in ("user", "assistant")]
    assert bot.seen[-1] == [*said[len(said) - shown :], ("user", "message  4")]


async def test_all_that_was_said_can_be_read(database_url: str) -> None:
    """With the state of each reply, whichever way it ended, and the same text that its reader got."""

    async def script(conversation: Conversation) -> AsyncGenerator[str | Finish, None]:
        yield "Hi \n there"
        if conversation.user_message == "fail":
            raise BotFailed
        if conversation.user_message == "length":
            yield Finish("length")

    async with service(database_url, ScriptedBot(script)) as (client, _):
        streamed = await client.request("POST", "/api/chat", json={"user_message": "fail"})
        conversation_id = streamed.headers["conversation-id"]
        await ask(client, "length", conversation_id)
        reply = await replied(client, "stop", conversation_id)
        assert streamed.transcript().text == "Hi \n there"
        said = await messages(client, conversation_id)
        assert [message["role"] for message in said] == ["user", "assistant"] * 3
        assert [message["text"] for message in said[::2]] == ["fail", "length", "stop"]
        assert {message["text"] for message in said[1::2]} == {"Hi \n there"}
        assert [message["state"] for message in said[1::2]] == ["failed", "completed", "completed"]
        assert [message.get("finish_reason") for message in said[1::2]] == [None, "length", "stop"]
        assert said[1]["reply_id"] == streamed.headers["reply-id"]
        assert said[5]["reply_id"] == reply.reply_id
        assert said[0].keys() == {"role", "text", "created_at"}


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_where_a_reply_fails_before_its_first_word_one_can_go_on(accept: str, database_url: str) -> None:
    """The problem names the conversation that has the message; but for who is refused, which begins none."""

    async def script(conversation: Conversation) -> AsyncGenerator[str, None]:
        if conversation.user_message == "fail":
            raise BotFailed
        yield str(len(conversation.messages))

    async with service(database_url, ScriptedBot(script)) as (client, _):
        failed = await client.request("POST", "/api/chat", json={"user_message": "fail"}, headers={"Accept": accept})
        assert failed.status == 502
        user, assistant = await messages(client, failed.headers["conversation-id"])
        assert user["text"] == "fail"
        assert (assistant["state"], assistant["reply_id"]) == ("failed", failed.headers["reply-id"])
        again = await replied(client, "again", failed.headers["conversation-id"])
        assert again.conversation_id == failed.headers["conversation-id"]
        refused = await client.request("POST", "/api/chat", json={"user_message": ""})
        assert not {"conversation-id", "reply-id"} & refused.headers.keys()


async def test_conversations_are_listed_the_latest_first(database_url: str) -> None:
    """A page at a time, each once; a new message brings its conversation to the top."""
    async with service(database_url, Echo()) as (client, _):
        ids = []
        for n in range(7):
            ids.append((await replied(client, f" conversation\n {n} " + "x" * 100)).conversation_id)
            await anyio.sleep(0.002)  # the order is that of milliseconds
        await replied(client, "again", ids[2])
        latest_first = [ids[2], *(ids[n] for n in (6, 5, 4, 3, 1, 0))]
        listed: list[dict[str, str]] = []
        for limit in (1, 2, 3, 6, 7, 8, 100):
            pages = await _pages(client, f"/api/conversations?limit={limit}")
            assert all(len(page["conversations"]) <= limit for page in pages)
            listed = [conversation for page in pages for conversation in page["conversations"]]
            assert [conversation["conversation_id"] for conversation in listed] == latest_first
        assert listed[1]["title"] == ("conversation 6 " + "x" * 100)[:80]
        assert listed[0]["created_at"] < listed[0]["updated_at"]


async def _pages(client: Client, path: str) -> list[dict[str, Any]]:
    pages = [await got(client, path)]
    while "next_cursor" in pages[-1]:
        pages.append(await got(client, f"{path}&cursor={pages[-1]['next_cursor']}"))
    return pages


async def test_conversations_of_the_same_millisecond_are_listed_once_each(database_url: str) -> None:
    """Time alone is no cursor."""
    async with service(database_url, Echo()) as (client, _):
        replies = await asyncio.gather(*(replied(client, "hello") for _ in range(30)))
        pages = await _pages(client, "/api/conversations?limit=4")
        listed = [conversation["conversation_id"] for page in pages for conversation in page["conversations"]]
        assert sorted(listed) == sorted(reply.conversation_id for reply in replies)


async def test_a_conversation_is_read_a_page_at_a_time(database_url: str) -> None:
    """Oldest first, each message once; the pages' cursors are its own."""
    async with service(database_url, Echo()) as (client, _):
        conversation_id = (await replied(client, "0")).conversation_id
        for n in range(1, 5):
            await replied(client, str(n), conversation_id)
        other = (await replied(client, "other")).conversation_id
        for limit in (1, 3, 9, 10, 11):
            pages = await _pages(client, f"/api/conversations/{conversation_id}?limit={limit}")
            texts = [message["text"] for page in pages for message in page["messages"]]
            for page in pages[:-1]:
                foreign = await client.request("GET", f"/api/conversations/{other}?cursor={page['next_cursor']}")
                assert problem(foreign) == (400, "malformed-page-cursor")
            assert texts == [str(n) for n in range(5) for _ in range(2)]


async def test_a_cursor_that_no_page_gave_is_refused(database_url: str) -> None:
    """Before the database, which might not even be able to compare with it, is asked."""
    async with service(database_url) as (client, _):
        for cursor in _CURSORS:
            for path in ("/api/conversations", f"/api/conversations/{_NOBODY}"):
                answer = await client.request("GET", f"{path}?cursor={cursor}")
                assert problem(answer) == (400, "malformed-page-cursor"), cursor


_ZEROS = "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA"  # 0000...
_CURSORS = [
    "x",
    "eA",
    "MTox",  # 1:1
    "MTo",
    "OTk5OTk5OTk5OTk5OTk5OTk5OTk6" + _ZEROS,  # a number of 20 digits
    "OTk5OTk5OTk5OTk5OTow" + _ZEROS,  # an id that is too long
    "LTE6" + _ZEROS,  # -1
    "MTow" + _ZEROS + "=",
    "2aE6" + _ZEROS,  # a digit that is not ASCII
    "%00",
    "-" * 200,
    "_" * 201,
]


async def test_what_there_is_not_is_not_found(database_url: str) -> None:
    """Whether it could be an id or not."""
    async with service(database_url) as (client, _):
        for name in [_NOBODY, "x", "%00", "A" * 32, "0" * 31, "%F0%9F%98%80", "'", "%FF", "x" * 5000]:
            for kind in ("conversation", "reply"):
                path = {"conversation": f"/api/conversations/{name}", "reply": f"/api/replies/{name}"}[kind]
                for method in ("GET", "DELETE"):
                    answer = await client.request(method, path)
                    assert problem(answer) == (404, f"{kind}-not-found"), name


async def test_nobody_can_go_on_with_a_conversation_that_there_is_not(database_url: str) -> None:
    """And the bot is not asked."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        assert problem(await ask(client, "hello", _NOBODY)) == (404, "conversation-not-found")
    assert bot.seen == []


async def test_what_is_deleted_is_gone(database_url: str) -> None:
    """The conversation, its replies, wherever they are kept, and their keys; nothing of others."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        reply = await replied(client, "hello", idempotency_key="a")
        await replied(client, "again", reply.conversation_id, idempotency_key="b")
        other = await replied(client, "other", idempotency_key="c")
        path = f"/api/conversations/{reply.conversation_id}"
        deleted = await client.request("DELETE", path)
        assert (deleted.status, deleted.content) == (204, b"")
        assert problem(await client.request("GET", path)) == (404, "conversation-not-found")
        assert problem(await client.request("DELETE", path)) == (404, "conversation-not-found")
        for method in ("GET", "DELETE"):
            gone = await client.request(method, f"/api/replies/{reply.reply_id}")
            assert problem(gone) == (404, "reply-not-found")
        assert problem(await ask(client, "more", reply.conversation_id)) == (404, "conversation-not-found")
        assert [c["conversation_id"] for c in (await got(client, "/api/conversations"))["conversations"]] == [
            other.conversation_id
        ]
        assert len(bot.seen) == 3
        assert (await replied(client, "hello", idempotency_key="a")).reply_id != reply.reply_id
        assert (await replied(client, "other", idempotency_key="c")).reply_id == other.reply_id


async def test_deleting_stops_what_is_being_said(database_url: str) -> None:
    """Its readers get `done`, and the bot is closed."""
    bot = GatedBot()
    bot.let_through(2)
    async with (
        service(database_url, bot) as (client, _),
        client.stream("POST", "/api/chat", json={"user_message": "go on"}) as response,
    ):
        chunks = response.chunks()
        raw = await anext(chunks)
        path = f"/api/conversations/{response.headers['conversation-id']}"
        assert (await client.request("DELETE", path)).status == 204
        assert bot.closed.is_set()
        transcript = Whole(200, {}, raw + await response.read()).transcript()
        assert transcript.reply.finish_reason == "cancelled"
        assert problem(await client.request("GET", path)) == (404, "conversation-not-found")
        gone = await client.request("GET", f"/api/replies/{response.headers['reply-id']}")
        assert problem(gone) == (404, "reply-not-found")


async def test_a_second_message_has_to_wait_for_the_first_ones_reply(database_url: str) -> None:
    """409, with the address of the reply that runs; other conversations do not mind."""
    bot = GatedBot()
    bot.let_through(2)
    async with (
        service(database_url, bot) as (client, _),
        client.stream("POST", "/api/chat", json={"user_message": "go on"}) as response,
    ):
        await anext(response.chunks())
        conversation_id = response.headers["conversation-id"]
        busy = await ask(client, "and this", conversation_id)
        assert problem(busy) == (409, "conversation-busy")
        assert busy.headers["location"] == response.headers["content-location"]
        assert (await client.request("DELETE", busy.headers["location"])).status == 204
        await response.read()
        bot.let_through(2)
        again = {"user_message": "and this", "conversation_id": conversation_id}
        async with client.stream("POST", "/api/chat", json=again) as answer:
            assert answer.status == 200


async def test_of_messages_sent_at_once_to_one_conversation_one_is_answered(database_url: str) -> None:
    """All others are told that it is busy; nothing of them is stored."""
    async with service(database_url, first_word_seconds=3600) as (client, _):
        conversation_id = (await replied(client, "hello")).conversation_id
        text = "/simulate first_ms=200\n"
        answers = await asyncio.gather(*(ask(client, f"{text}{n}", conversation_id) for n in range(10)))
        assert sorted(answer.status for answer in answers) == [200] + [409] * 9
        assert len(await messages(client, conversation_id)) == 4
