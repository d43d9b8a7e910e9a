"""Stored conversations: what the bot sees of them, and how they are listed, read and deleted."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import anyio
import pytest

from app.chat.access import EVERYBODY
from app.chat.errors import BotFailed
from app.chat.model import Conversation, Finish
from app.chat.stored import ReplyRecord
from app.storage.address import database_url as database_url_of
from app.storage.database import Database
from tests.support.addresses import BOTH, CHAT, WHOLE, cancel_of, conversation_at, events_of, reply_at
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot, ScriptedBot
from tests.support.databases import run_sql
from tests.support.keys import bearer, made_key
from tests.support.talk import Echo, ask, cancelled, got, messages, problem, replied, service

_NOBODY = "0" * 32


async def test_the_bot_sees_what_was_said_before(database_url: str) -> None:
    """Of this conversation only, oldest first, including its own replies; also after a restart."""
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
    """In number and in characters; the oldest turns are left out. Each message here has ten characters."""
    bot = Echo()
    async with service(database_url, bot, **bounds) as (client, _):
        conversation_id = (await replied(client, "message  0")).conversation_id
        for n in range(1, 5):
            await replied(client, f"message  {n}", conversation_id)
    said = [(role, f"message  {n}") for n in range(4) for role in ("user", "assistant")]
    assert bot.seen[-1] == [*said[len(said) - shown :], ("user", "message  4")]


async def test_all_that_was_said_can_be_read(database_url: str) -> None:
    """With the state of each reply, however it ended, and the same text that its reader got."""

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


@pytest.mark.parametrize("path", BOTH)
async def test_where_a_reply_fails_before_its_first_word_one_can_go_on(path: str, database_url: str) -> None:
    """The problem names the conversation with the message; a refused request starts none."""

    async def script(conversation: Conversation) -> AsyncGenerator[str, None]:
        if conversation.user_message == "fail":
            raise BotFailed
        yield str(len(conversation.messages))

    async with service(database_url, ScriptedBot(script)) as (client, _):
        failed = await ask(client, "fail", path=path)
        assert failed.status == 502
        user, assistant = await messages(client, failed.headers["conversation-id"])
        assert user["text"] == "fail"
        assert (assistant["state"], assistant["reply_id"]) == ("failed", failed.headers["reply-id"])
        again = await replied(client, "again", failed.headers["conversation-id"])
        assert again.conversation_id == failed.headers["conversation-id"]
        refused = await client.request("POST", "/api/chat", json={"user_message": ""})
        assert not {"conversation-id", "reply-id"} & refused.headers.keys()


async def test_conversations_are_listed_the_latest_first(database_url: str) -> None:
    """A page at a time, each once; a new message moves its conversation to the top."""
    async with service(database_url, Echo()) as (client, _):
        ids = []
        for n in range(7):
            ids.append((await replied(client, f" conversation\n {n} " + "x" * 100)).conversation_id)
            await anyio.sleep(0.002)  # the order has millisecond resolution
        await replied(client, "again", ids[2])
        latest_first = [ids[2], *(ids[n] for n in (6, 5, 4, 3, 1, 0))]
        listed: list[dict[str, str]] = []
        for limit in (1, 2, 3, 6, 7, 8, 100):
            pages = await _pages(client, f"/api/conversations?limit={limit}")
            assert all(len(page["conversations"]) <= limit for page in pages)
            listed = [conversation for page in pages for conversation in page["conversations"]]
            assert [conversation["conversation_id"] for conversation in listed] == latest_first
        assert listed[1]["title"] == "conversation 6 " + "x" * 64 + "…"
        assert listed[0]["created_at"] < listed[0]["updated_at"]


async def _pages(client: Client, path: str) -> list[dict[str, Any]]:
    pages = [await got(client, path)]
    while "next_cursor" in pages[-1]:
        pages.append(await got(client, f"{path}&cursor={pages[-1]['next_cursor']}"))
    return pages


async def test_conversations_of_the_same_millisecond_are_listed_once_each(database_url: str) -> None:
    """Time alone is not a cursor."""
    async with service(database_url, Echo()) as (client, _):
        replies = await asyncio.gather(*(replied(client, "hello") for _ in range(30)))
        pages = await _pages(client, "/api/conversations?limit=4")
        listed = [conversation["conversation_id"] for page in pages for conversation in page["conversations"]]
        assert sorted(listed) == sorted(reply.conversation_id for reply in replies)


@pytest.mark.parametrize("order", ["", "asc", "desc"])
async def test_a_conversation_is_read_a_page_at_a_time(order: str, database_url: str) -> None:
    """Oldest first, or newest first on request; each message once."""
    async with service(database_url, Echo()) as (client, _):
        conversation_id = (await replied(client, "0")).conversation_id
        for n in range(1, 5):
            await replied(client, str(n), conversation_id)
        for limit in (1, 3, 9, 10, 11):
            query = f"limit={limit}" + (f"&order={order}" if order else "")
            pages = await _pages(client, f"{conversation_at(conversation_id)}?{query}")
            texts = [message["text"] for page in pages for message in page["messages"]]
            assert texts == [str(n) for n in (reversed(range(5)) if order == "desc" else range(5)) for _ in range(2)]
            assert [len(page["messages"]) for page in pages[:-1]] == [limit] * (len(pages) - 1)


async def test_a_cursor_is_a_position(database_url: str) -> None:
    """Every well-formed one is a position in the list, whether or not a page returned it."""
    async with service(database_url, Echo()) as (client, _):
        first = await replied(client, "0")
        await replied(client, "1", first.conversation_id)
        path = conversation_at(first.conversation_id)
        for cursor in (0, 1, 3, 4, 5, 999_999_999):
            for order, expected in (("asc", "0011"[cursor:]), ("desc", "0011"[cursor::-1] if cursor < 4 else "1100")):
                said = (await got(client, f"{path}?cursor={cursor}&order={order}"))["messages"]
                assert "".join(message["text"] for message in said) == expected, (cursor, order)
        listed = (await got(client, "/api/conversations"))["conversations"]
        for milliseconds, behind in ((0, []), (9_999_999_999_999, listed)):
            for name in ("0" * 32, "f" * 32):
                page = await got(client, f"/api/conversations?cursor={milliseconds}-{name}")
                assert page == {"conversations": behind}


@pytest.mark.parametrize(
    ("path", "cursors"),
    [
        ("/api/conversations", ["x", "1", "1-", f"-1-{'0' * 32}", f"1-{'0' * 31}", f"1-{'0' * 33}", f"1-{'A' * 32}"]),
        ("/api/conversations", [f"{'9' * 14}-{'0' * 32}", f"%D9%A1-{'0' * 32}", f"1-{'0' * 32}%0A", "", "%00"]),
        (f"/api/conversations/{_NOBODY}", ["x", "-1", "+1", "01", "1.0", "1e3", "1" * 10, "%D9%A1", "1%0A", "", "%00"]),
    ],
    ids=["list", "list, too", "messages"],
)
async def test_a_cursor_that_is_no_position_is_refused(path: str, cursors: list[str], database_url: str) -> None:
    """Before the database is queried, which might not even be able to compare it."""
    async with service(database_url) as (client, _):
        for cursor in cursors:
            answer = await client.request("GET", f"{path}?cursor={cursor}")
            assert problem(answer) == (400, "malformed-page-cursor"), cursor


async def test_what_there_is_not_is_not_found(database_url: str) -> None:
    """Whether or not it has the form of an id."""
    async with service(database_url) as (client, _):
        for name in [_NOBODY, "x", "%00", "A" * 32, "0" * 31, "%F0%9F%98%80", "'", "%FF", "x" * 5000]:
            for kind in ("conversation", "reply"):
                path = {"conversation": f"/api/conversations/{name}", "reply": f"/api/replies/{name}"}[kind]
                of_a_reply = [("GET", f"{path}/events"), ("POST", f"{path}/cancel")]
                for method, place in [("GET", path), *(of_a_reply if kind == "reply" else [("DELETE", path)])]:
                    answer = await client.request(method, place)
                    assert problem(answer) == (404, f"{kind}-not-found"), name


async def test_nobody_can_go_on_with_a_conversation_that_there_is_not(database_url: str) -> None:
    """And the bot is not called."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        assert problem(await ask(client, "hello", _NOBODY)) == (404, "conversation-not-found")
    assert bot.seen == []


async def test_what_is_deleted_is_gone(database_url: str) -> None:
    """The conversation, its replies wherever they are kept, and their keys; nothing of other conversations."""
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
        for method, place in (("GET", reply_at), ("GET", events_of), ("POST", cancel_of)):
            gone = await client.request(method, place(reply.reply_id))
            assert problem(gone) == (404, "reply-not-found")
        assert problem(await ask(client, "more", reply.conversation_id)) == (404, "conversation-not-found")
        assert [c["conversation_id"] for c in (await got(client, "/api/conversations"))["conversations"]] == [
            other.conversation_id
        ]
        assert len(bot.seen) == 3
        assert (await replied(client, "hello", idempotency_key="a")).reply_id != reply.reply_id
        assert (await replied(client, "other", idempotency_key="c")).reply_id == other.reply_id


async def test_all_that_is_mine_is_deleted(database_url: str) -> None:
    """Also what is being said in it, and however much it is; nothing of another principal's."""
    mine, other = [{"authorization": bearer((await made_key(database_url, name))[0])} for name in ("one", "two")]
    async with service(database_url) as (client, _):
        for signed in (mine, other):
            assert (await ask(client, "hello", **signed)).status == 200
        await run_sql(
            database_url,
            "INSERT INTO conversations (id, title, created_ms, updated_ms, principal) WITH RECURSIVE many(n) AS"
            " (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 450) SELECT 'made ' || n, '', 0, 0, principal"
            " FROM many, (SELECT principal FROM conversations WHERE principal LIKE '%one') AS mine",
        )
        running = {"user_message": "/simulate stall_after=1\nhello there"}
        async with client.stream("POST", CHAT, json=running, headers=mine) as response:
            deleted = await client.request("DELETE", "/api/conversations", headers=mine)
            assert (deleted.status, deleted.content) == (204, b"")
            assert b"cancelled" in await response.read()
        for signed, count in ((mine, 0), (other, 1)):
            listed = await client.request("GET", "/api/conversations", headers=signed)
            assert len(listed.json()["conversations"]) == count
    for table, count in (("conversations", 1), ("messages", 2)):
        assert await run_sql(database_url, f"SELECT count(*) FROM {table}") == [(count,)]  # noqa: S608 - our own names


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
        gone = await client.request("GET", reply_at(response.headers["reply-id"]))
        assert problem(gone) == (404, "reply-not-found")


async def test_a_second_message_has_to_wait_for_the_first_ones_reply(database_url: str) -> None:
    """409, with the URL of the running reply; other conversations are not affected."""
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
        assert urljoin(WHOLE, busy.headers["location"]) == reply_at(response.headers["reply-id"])
        await cancelled(client, response.headers["reply-id"])
        await response.read()
        bot.let_through(2)
        again = {"user_message": "and this", "conversation_id": conversation_id}
        async with client.stream("POST", "/api/chat", json=again) as answer:
            assert answer.status == 200


async def test_a_second_message_may_cancel_the_first_ones_reply(database_url: str) -> None:
    """It is answered after what that has said so far. A repeat of it cancels nothing, and gets the same reply."""
    bot = GatedBot()
    bot.let_through(3)
    async with (
        service(database_url, bot) as (client, _),
        client.stream("POST", CHAT, json={"user_message": "go on"}) as first,
    ):
        begun = await anext(first.chunks())
        conversation_id = first.headers["conversation-id"]
        wish = {"user_message": "stop", "conversation_id": conversation_id, "on_busy": "cancel"}
        key = {"idempotency-key": "a"}
        async with client.stream("POST", CHAT, json=wish, headers=key) as second:
            bot.let_through(3)
            assert Whole(200, {}, begun + await first.read()).transcript().reply.finish_reason == "cancelled"
            async with client.stream("POST", CHAT, json=wish, headers=key) as again:
                assert again.headers["reply-id"] == second.headers["reply-id"]
                other = wish | {"user_message": "and this", "on_busy": "refuse"}
                assert problem(await client.request("POST", CHAT, json=other)) == (409, "conversation-busy")
                await cancelled(client, second.headers["reply-id"])
                transcript = Whole(200, {}, await second.read()).transcript()
                assert Whole(200, {}, await again.read()).transcript().end == transcript.end
        said = await messages(client, conversation_id)
        assert [message["text"] for message in said[::2]] == ["go on", "stop"]
        assert [message["state"] for message in said[1::2]] == ["cancelled", "cancelled"]
        assert said[1]["text"].startswith("word1 ")


async def test_of_messages_sent_at_once_to_one_conversation_one_is_answered(database_url: str) -> None:
    """All others get `conversation-busy`; nothing of them is stored."""
    async with service(database_url, first_word_seconds=3600) as (client, _):
        conversation_id = (await replied(client, "hello")).conversation_id
        text = "/simulate first_ms=200\n"
        answers = await asyncio.gather(*(ask(client, f"{text}{n}", conversation_id) for n in range(10)))
        assert sorted(answer.status for answer in answers) == [200] + [409] * 9
        assert len(await messages(client, conversation_id)) == 4


async def test_a_title_that_somebody_gives_at_the_same_moment_is_not_replaced(tmp_path: Path) -> None:
    """Whoever replaces a title only if it is the old one has read the old one before theirs was committed."""
    file = tmp_path / "chat.db"
    async with Database(database_url_of(f"sqlite:///{file}"), 60) as database:
        await database.store.save(ReplyRecord("1" * 32, "2" * 32, 0, "hello", 0, EVERYBODY))
        with closing(sqlite3.connect(file, isolation_level=None)) as person:
            person.execute("BEGIN IMMEDIATE")
            person.execute("UPDATE conversations SET title = 'Mine'")
            update = database.store.update("2" * 32, EVERYBODY, title="The bot's", instead_of="hello")
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: update)
                await anyio.sleep(0.3)
                person.execute("COMMIT")
        page = await database.store.conversations(EVERYBODY, 10, None)
        assert [each.title for each in page.items] == ["Mine"]
