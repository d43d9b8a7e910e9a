"""A failed reply is replaced by a new one: one row is deleted and one inserted, in one transaction, and no other."""

from collections.abc import AsyncGenerator

import anyio
import pytest

from app.chat.errors import BotFailed
from app.chat.model import Conversation, Finish, Usage
from tests.support.addresses import CHAT, WHOLE, events_of, reply_at
from tests.support.bots import GatedBot, ScriptedBot
from tests.support.databases import locked, run_sql
from tests.support.talk import Echo, ask, got, messages, problem, replied, service, streamed

_ROWS = "SELECT position, role, text, reply_id, state, error_code, finish_reason, words FROM messages ORDER BY position"


async def _fails(conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
    yield Usage(7, 2)
    yield f"{conversation.user_message}? Well, "
    raise BotFailed


async def test_a_failed_reply_is_replaced_by_the_one_that_its_retry_gets(database_url: str) -> None:
    """Its whole row is the new one's; the old reply is not found any more, and the key belongs to the new one."""
    bot = ScriptedBot(_fails)
    for retention_seconds in (60, 0):
        async with service(database_url, bot, retention_seconds=retention_seconds) as (client, _):
            key = f"key-{retention_seconds}"
            bot.script = _fails
            failed = await streamed(client, "hello", idempotency_key=key)
            old = failed.headers["reply-id"]
            assert failed.transcript().problem.words == 2
            bot.script = Echo().reply
            reply = await replied(client, "hello", idempotency_key=key)
            assert reply.conversation_id == failed.headers["conversation-id"]
            for path in (reply_at(old), events_of(old)):
                assert problem(await client.request("GET", path)) == (404, "reply-not-found")
            assert await replied(client, "hello", reply.conversation_id, idempotency_key=key) == reply
            _, said = await messages(client, reply.conversation_id)
            assert (said["reply_id"], said["state"], said["text"], said["words"]) == (
                *(reply.reply_id, "completed", "hello", 1),
            )
            assert "usage" not in said
    assert await run_sql(database_url, "SELECT count(*) FROM idempotency_keys") == [(2,)]
    assert await run_sql(database_url, "SELECT count(*) FROM messages") == [(4,)]


@pytest.mark.parametrize("words", [0, 1])
async def test_a_reply_that_stalled_is_generated_anew(words: int, database_url: str) -> None:
    """Like one that broke off: the bot was silent for too long, before its first word or after it."""

    async def stalls(_: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        for _word in range(words):
            yield "Well, "
        await anyio.sleep_forever()

    bot = ScriptedBot(stalls)
    async with service(database_url, bot, bot_silence_seconds=0.05) as (client, _):
        stalled = await streamed(client, "hello", idempotency_key="a")
        assert stalled.status == (200 if words else 504)
        assert b"urn:problem:bot-timeout" in stalled.content
        bot.script = Echo().reply
        reply = await replied(client, "hello", idempotency_key="a")
        assert reply.conversation_id == stalled.headers["conversation-id"]
        assert [message["text"] for message in await messages(client, reply.conversation_id)] == ["hello", "hello"]


async def test_a_retry_in_the_middle_of_a_conversation_touches_nothing_else(database_url: str) -> None:
    """Neither the messages before it, which the bot sees, nor those after it, which it does not see."""
    bot = ScriptedBot(Echo().reply)
    async with service(database_url, bot) as (client, _):
        conversation_id = (await replied(client, "one")).conversation_id
        bot.script = _fails
        await ask(client, "two", conversation_id, idempotency_key="a")
        bot.script = Echo().reply
        await replied(client, "three", conversation_id)
        before = await run_sql(database_url, _ROWS)
        echo = Echo()
        bot.script = echo.reply
        reply = await replied(client, "two", conversation_id, idempotency_key="a")
        after = await run_sql(database_url, _ROWS)
        assert after[:3] + after[4:] == before[:3] + before[4:]
        assert after[3] == (3, "assistant", "two", reply.reply_id, "completed", None, "stop", 1)
        assert echo.seen == [[("user", "one"), ("assistant", "one"), ("user", "two")]]


async def test_a_retry_brings_its_conversation_to_the_top(database_url: str) -> None:
    """Like a new message: the list is ordered by the start of the latest reply."""
    bot = ScriptedBot(_fails)
    async with service(database_url, bot) as (client, _):
        failed = await ask(client, "hello", idempotency_key="a")
        bot.script = Echo().reply
        await anyio.sleep(0.002)  # the order has millisecond resolution
        await replied(client, "other")
        await anyio.sleep(0.002)
        await replied(client, "hello", idempotency_key="a")
        listed = (await got(client, "/api/conversations"))["conversations"]
        assert [found["title"] for found in listed] == ["hello", "other"]
        assert listed[0]["conversation_id"] == failed.headers["conversation-id"]


async def test_what_a_retry_could_not_replace_is_still_there(database_url: str) -> None:
    """If the database refuses writes, the old failure stays, and can be read and retried."""
    bot = ScriptedBot(_fails)
    async with service(database_url, bot, storage_seconds=0.6) as (client, _):
        failed = await streamed(client, "hello", idempotency_key="a")
        before = await run_sql(database_url, _ROWS)
        bot.script = Echo().reply
        async with locked(database_url):
            for path in (CHAT, WHOLE):
                refused = await ask(client, "hello", path=path, idempotency_key="a")
                assert problem(refused) == (503, "storage-unavailable")
        assert await run_sql(database_url, _ROWS) == before
        assert (await got(client, reply_at(failed.headers["reply-id"])))["state"] == "failed"
        reply = await replied(client, "hello", idempotency_key="a")
        assert reply.conversation_id == failed.headers["conversation-id"]
    assert len(await run_sql(database_url, _ROWS)) == 2


async def test_a_retry_waits_for_no_other_reply_of_its_conversation(database_url: str) -> None:
    """It gets `conversation-busy`, with the running reply."""
    bot, gated = ScriptedBot(_fails), GatedBot()
    async with service(database_url, bot) as (client, _):
        failed = await ask(client, "hello", idempotency_key="a")
        conversation_id = failed.headers["conversation-id"]
        bot.script = gated.reply
        gated.let_through(2)
        body = {"user_message": "more", "conversation_id": conversation_id}
        async with client.stream("POST", CHAT, json=body) as response:
            busy = await ask(client, "hello", idempotency_key="a")
            assert problem(busy) == (409, "conversation-busy")
            assert busy.headers["location"].endswith(response.headers["reply-id"])
        assert gated.pulled == 2


@pytest.mark.parametrize("names", [False, True], ids=["as it was", "with the conversation"])
async def test_what_was_deleted_is_not_tried_again(names: bool, database_url: str) -> None:  # noqa: FBT001 - of a table
    """Its key is free again; but nobody can continue a conversation that does not exist."""
    bot = ScriptedBot(_fails)
    async with service(database_url, bot) as (client, _):
        failed = await ask(client, "hello", idempotency_key="a")
        conversation_id = failed.headers["conversation-id"]
        assert (await client.request("DELETE", f"/api/conversations/{conversation_id}")).status == 204
        bot.script = Echo().reply
        if names:
            again = await ask(client, "hello", conversation_id, idempotency_key="a")
            assert problem(again) == (404, "conversation-not-found")
        else:
            assert (await replied(client, "hello", idempotency_key="a")).conversation_id != conversation_id
    assert len(await run_sql(database_url, _ROWS)) == (0 if names else 2)
