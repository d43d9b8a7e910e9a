"""`Idempotency-Key`: a repeated request gets the reply of the first one, and the reply is generated once."""

import asyncio
from collections.abc import AsyncGenerator

import anyio
import pytest

from app.chat.errors import BotFailed, BotUnavailable
from app.chat.model import Conversation, Finish
from tests.support.addresses import CHAT, WHOLE
from tests.support.bots import GatedBot, ScriptedBot
from tests.support.databases import fresh_database_url, run_sql
from tests.support.talk import Echo, ask, messages, problem, replied, service, streamed


async def test_the_same_request_gets_the_same_reply(database_url: str) -> None:
    """As JSON or as a stream, now or later, from this process or the next; nothing is stored twice."""
    bot = Echo()
    for retention_seconds in (60, 0):
        async with service(database_url, bot, retention_seconds=retention_seconds) as (client, _):
            first = await replied(client, "hello", idempotency_key="a")
            assert await replied(client, "hello", idempotency_key="a") == first
            answer = await streamed(client, "hello", idempotency_key="a")
            assert answer.transcript().reply == first
            assert len(await messages(client, first.conversation_id)) == 2
    assert len(bot.seen) == 1


async def test_a_key_is_for_one_message(database_url: str) -> None:
    """With another text or in another conversation it is refused, during the reply, after it, and later."""
    bot = Echo()
    async with service(database_url, bot, retention_seconds=0) as (client, _):
        first = await replied(client, "hello", idempotency_key="a")
        second = await replied(client, "more", first.conversation_id, idempotency_key="c")
        other = await replied(client, "hello")
        for key, text, conversation_id in (
            ("a", "hello!", None),
            ("a", "hello!", first.conversation_id),
            ("a", "hello", other.conversation_id),
            ("a", "hello", "0" * 32),
            ("c", "more", None),
        ):
            refused = await ask(client, text, conversation_id, idempotency_key=key)
            assert problem(refused) == (409, "idempotency-key-reused")
        assert await replied(client, "hello", first.conversation_id, idempotency_key="a") == first
        assert await replied(client, "more", first.conversation_id, idempotency_key="c") == second
    async with service(database_url, gated := GatedBot()) as (client, _):
        gated.let_through(2)
        async with client.stream("POST", "/api/chat", json={"user_message": "b"}, headers={"idempotency-key": "b"}):
            assert problem(await ask(client, "c", idempotency_key="b")) == (409, "idempotency-key-reused")
    assert len(bot.seen) == 3


async def test_without_a_key_every_request_gets_a_reply_of_its_own(database_url: str) -> None:
    """And so does every key."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        replies = [await replied(client, "hello", **headers) for headers in ({}, {}, {"idempotency_key": "a"})]
        replies.append(await replied(client, "hello", idempotency_key="A"))
    assert len({reply.reply_id for reply in replies}) == len(bot.seen) == 4


@pytest.mark.parametrize("pace_ms", [0, 5])
async def test_twenty_equal_requests_at_once_are_one(pace_ms: int, database_url: str) -> None:
    """However fast the reply is; half of them stream. Then again, with a reply that is not in memory."""
    asked = 0

    async def script(conversation: Conversation) -> AsyncGenerator[str | Finish, None]:
        nonlocal asked
        asked += 1
        for word in ("Hi ", "there, ", conversation.user_message):
            yield word
            if pace_ms:
                await asyncio.sleep(pace_ms / 1000)

    async with service(database_url, ScriptedBot(script)) as (client, app):
        for key in ("a", "b", "c"):
            answers = await asyncio.gather(
                *(ask(client, key, path=CHAT if n % 2 else WHOLE, idempotency_key=key) for n in range(20))
            )
            replies = {answer.transcript().reply.model_dump_json() for answer in answers[1::2]}
            replies |= {answer.content.decode() for answer in answers[::2]}
            assert len(replies) == 1
        assert app.state.replies.accepting
    assert asked == 3


async def test_a_request_attaches_to_the_reply_while_it_is_made(database_url: str) -> None:
    """And keeps it running when the first reader has left."""
    bot = GatedBot()
    bot.let_through(2)
    headers = {"idempotency-key": "a"}
    async with service(database_url, bot, first_word_seconds=3600) as (client, _):
        ask_again = {"method": "POST", "path": "/api/chat", "json": {"user_message": "go on"}, "headers": headers}
        async with client.stream(**ask_again) as second:  # type: ignore[arg-type]  # the dict loses the types
            async with client.stream(**ask_again) as first:  # type: ignore[arg-type]
                assert first.headers["reply-id"] == second.headers["reply-id"]
            bot.let_through(1)
            assert b":2\n" in b"".join([await anext(second.chunks()) for _ in range(2)])
            assert not bot.closed.is_set()
        with anyio.fail_after(60):
            await bot.closed.wait()


@pytest.mark.parametrize("words", [0, 1])
async def test_a_reply_that_failed_may_be_tried_again(words: int, database_url: str) -> None:
    """With the same key, whether or not it had any text; then a new one is generated, once."""
    asked = 0

    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        nonlocal asked
        asked += 1
        if words:
            yield "Hi "
        if asked == 1:
            raise BotFailed if words else BotUnavailable
        yield "there"

    for retention_seconds in (60, 0):
        async with service(database_url, ScriptedBot(script), retention_seconds=retention_seconds) as (client, _):
            if asked == 0:
                answer = await streamed(client, "hello", idempotency_key="a")
                assert (answer.status, b"failed" in answer.content) == ((200, True) if words else (503, False))
                refused = await ask(client, "other", idempotency_key="a")
                assert problem(refused) == (409, "idempotency-key-reused")
            answers = [await streamed(client, "hello", idempotency_key="a") for _ in range(3)]
            assert {answer.transcript().reply.text for answer in answers} == {"Hi there" if words else "there"}
            assert len({answer.headers["reply-id"] for answer in answers}) == 1
    assert asked == 2


async def test_keys_are_kept_for_24_hours(database_url: str) -> None:
    """And then deleted, although the reply is not."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        first = await replied(client, "hello", idempotency_key="a")
    for hours, others in ((23, 0), (2, 1)):
        ago = hours * 3_600_000
        await run_sql(database_url, "UPDATE idempotency_keys SET created_ms = created_ms - :ago", ago=ago)
        async with service(database_url, bot) as (client, _):
            with anyio.fail_after(60):
                while others and await run_sql(database_url, "SELECT key FROM idempotency_keys"):
                    pass  # expired keys are deleted when the service starts
            again = await replied(client, "hello", idempotency_key="a")
            assert (again.reply_id != first.reply_id) == bool(others)
            assert len(await messages(client, first.conversation_id)) == 2
    assert len(bot.seen) == 2


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "a\tb"])
async def test_a_malformed_key_is_refused(key: str) -> None:
    """Before anything else is done."""
    bot = Echo()
    async with service(fresh_database_url(), bot) as (client, _):
        assert problem(await ask(client, "hello", idempotency_key=key)) == (400, "malformed-idempotency-key")
    assert bot.seen == []
