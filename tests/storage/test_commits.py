"""What is committed when: the message before the response's head, the reply before `done`, in shared transactions."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import anyio
import pytest
from hypothesis import assume, given, settings
from sqlalchemy import Connection, Engine, event

from app.chat.model import Conversation, Finish
from tests.support.addresses import BOTH, events_of, reply_at
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot, ScriptedBot
from tests.support.databases import fresh_database_url, locked, run_sql
from tests.support.talk import Echo, ask, cancelled, got, messages, problem, replied, service, streamed
from tests.support.texts import is_white_space, normalised, texts

_ASK = {"user_message": "go on"}
_STORED = "SELECT role, state, finish_reason, text FROM messages ORDER BY position"


async def _until_stored(database_url: str, *rows: tuple[Any, ...]) -> None:
    with anyio.fail_after(60):
        while (await run_sql(database_url, _STORED)) != list(rows):
            pass


async def test_what_a_client_has_been_told_is_committed(database_url: str) -> None:
    """As seen by another connection at that moment: first the message, then occasional progress, then the end."""
    bot = GatedBot()
    user = ("user", None, None, "go on")
    async with (
        service(database_url, bot, first_word_seconds=0.01, save_every_seconds=0.01) as (client, _),
        client.stream("POST", "/api/chat", json=_ASK) as response,
    ):
        assert await run_sql(database_url, _STORED) == [user, ("assistant", "running", None, "")]
        bot.let_through(3)
        await _until_stored(database_url, user, ("assistant", "running", None, "word1 word2 "))
        await cancelled(client, response.headers["reply-id"])
        raw = b""
        async for chunk in response.chunks():
            raw += chunk
            if b"event: done" in chunk:
                end = ("assistant", "cancelled", "cancelled", "word1 word2 word3 ")
                assert await run_sql(database_url, _STORED) == [user, end]
        assert Whole(200, {}, raw).transcript().text == "word1 word2 word3 "


async def test_no_transaction_is_open_while_a_reply_is_streamed(database_url: str) -> None:
    """So the database can be locked and checkpointed meanwhile, and no connection is held."""
    bot = GatedBot()
    bot.let_through(3)
    async with (
        service(database_url, bot, save_every_seconds=3600) as (client, _),
        client.stream("POST", "/api/chat", json=_ASK) as response,
    ):
        await anext(response.chunks())
        if database_url.startswith("sqlite"):
            assert await run_sql(database_url, "PRAGMA wal_checkpoint(TRUNCATE)") == [(0, 0, 0)]
        else:
            sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %'"
            with anyio.fail_after(60):
                while await run_sql(database_url, sql) != [(0,)]:  # but for a moment, in which something else is done
                    await asyncio.sleep(0.05)
        async with locked(database_url):
            bot.let_through(1)
            assert b":3\n" in await anext(response.chunks())


@contextmanager
def _commits() -> Iterator[list[Connection]]:
    """All commits of this process meanwhile."""
    seen: list[Connection] = []

    def see(connection: Connection) -> None:
        seen.append(connection)

    event.listen(Engine, "commit", see)
    try:
        yield seen
    finally:
        event.remove(Engine, "commit", see)


async def test_replies_that_are_written_at_the_same_time_share_a_transaction(database_url: str) -> None:
    """Each of two hundred replies has a start and an end, and each commit waits for the disk."""
    async with service(database_url, Echo()) as (client, _):
        with _commits() as commits:
            replies = await asyncio.gather(*(replied(client, f"hello {n}") for n in range(200)))
        assert len(commits) < 40
        for n, reply in enumerate(replies):
            assert reply.text == f"hello {n}"
        assert await run_sql(database_url, "SELECT count(*) FROM messages WHERE state = 'completed'") == [(200,)]


async def test_transactions_begin_a_few_milliseconds_apart(database_url: str) -> None:
    """However the requests come: one at a time, each would cost two of them, more than all else that is done for it."""
    async with service(database_url, Echo()) as (client, _):
        with _commits() as commits:
            began_at = perf_counter()
            async with asyncio.TaskGroup() as group:
                for n in range(100):
                    group.create_task(replied(client, f"hello {n}"))
                    await asyncio.sleep(0.001)
            seconds = perf_counter() - began_at
        assert len(commits) < seconds / 0.004 + 10, (len(commits), seconds)


_CURSES = {
    "sqlite": (
        (
            "CREATE TRIGGER curse BEFORE INSERT ON messages WHEN new.text LIKE '%curse%'"
            " BEGIN SELECT abs(-9223372036854775807 - 1); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION curse() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RAISE EXCEPTION USING ERRCODE = ''22P05''; END'"
        ),
        (
            "CREATE TRIGGER curse BEFORE INSERT ON messages FOR EACH ROW WHEN (new.text LIKE '%curse%')"
            " EXECUTE FUNCTION curse()"
        ),
    ),
}
"""Of each database, how a row cannot be stored, and it is the row's fault."""


async def test_one_that_cannot_be_stored_fails_nobody_else(database_url: str) -> None:
    """Though they share its transaction; and they still share those in which they go through."""
    for sql in _CURSES[database_url.partition(":")[0]]:
        await run_sql(database_url, sql)
    async with service(database_url, Echo()) as (client, _):
        with _commits() as commits:
            answers = await asyncio.gather(*(ask(client, f"{'curse' if n == 17 else 'hello'} {n}") for n in range(60)))
        assert len(commits) < 40
        assert problem(answers.pop(17)) == (503, "storage-unavailable")
        assert {answer.status for answer in answers} == {200}
    assert await run_sql(database_url, "SELECT count(*) FROM messages WHERE state = 'completed'") == [(59,)]


_DELETIONS = {
    "sqlite": (
        (
            "CREATE TRIGGER forget BEFORE INSERT ON messages WHEN new.text = 'Where were we?'"
            " BEGIN DELETE FROM conversations WHERE id = new.conversation_id; END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN DELETE FROM conversations WHERE id = new.conversation_id; RETURN new; END'"
        ),
        (
            "CREATE TRIGGER forget BEFORE INSERT ON messages FOR EACH ROW WHEN (new.text = 'Where were we?')"
            " EXECUTE FUNCTION forget()"
        ),
    ),
}
"""Of each database, how a conversation is deleted at the last moment."""


@pytest.mark.parametrize("path", BOTH)
async def test_a_message_to_a_conversation_that_has_just_been_deleted_is_told_so(path: str, database_url: str) -> None:
    """It was there when the message came, and nobody else answers that. One with an alias is there at the next try."""
    async with service(database_url, Echo()) as (client, _):
        conversation_id = (await replied(client, "hello")).conversation_id
        await replied(client, "hello", "trip-to-lisbon")
        for sql in _DELETIONS[database_url.partition(":")[0]]:
            await run_sql(database_url, sql)
        answer = await ask(client, "Where were we?", conversation_id, path)
        assert problem(answer) == (404, "conversation-not-found")
        answer = await ask(client, "Where were we?", "trip-to-lisbon", path)
        assert problem(answer) == (503, "reply-elsewhere")


async def test_the_head_waits_for_the_message_to_be_stored(database_url: str) -> None:
    """Although the first word is long there; as soon as the message is stored, both are sent."""
    said = asyncio.Event()

    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        yield "Hi "
        yield "there"
        said.set()

    async with service(database_url, ScriptedBot(script), first_word_seconds=0.01) as (client, _):
        async with locked(database_url), client.open("POST", "/api/chat", json=_ASK) as abandoned:
            with anyio.fail_after(60):
                await said.wait()
            with anyio.move_on_after(0.1):
                await abandoned.head()
            assert abandoned.status == 0
        async with client.open("POST", "/api/chat", json=_ASK) as response:
            async with locked(database_url):
                await anyio.lowlevel.checkpoint()
            assert (await response.head()).status == 200
            assert Whole(200, {}, await response.read()).transcript().text == "Hi there"


async def test_a_locked_database_is_a_true_503(database_url: str) -> None:
    """Before the head: as a stream and as JSON; nothing is stored, and everything works when the lock is released."""
    async with service(database_url, storage_seconds=0.6) as (client, _):
        async with locked(database_url):
            for path in BOTH:
                for text in ("hello", "/simulate pace_ms=5\nhello again " + "and again " * 200):
                    refused = await ask(client, text, path=path)
                    assert problem(refused) == (503, "storage-unavailable")
                    assert int(refused.headers["retry-after"]) >= 1
            assert (await client.request("GET", "/api/health")).status == 200
        assert await run_sql(database_url, _STORED) == []
        reply = await replied(client, "hello")
        assert [message["text"] for message in await messages(client, reply.conversation_id)] == ["hello", "hello"]


async def test_a_key_that_met_a_locked_database_is_as_good_as_new(database_url: str) -> None:
    """The client was told to retry."""
    bot = Echo()
    async with service(database_url, bot, storage_seconds=0.6) as (client, _):
        async with locked(database_url):
            assert problem(await ask(client, "hello", idempotency_key="a")) == (503, "storage-unavailable")
        replies = [await replied(client, "hello", idempotency_key="a") for _ in range(2)]
    assert replies[0] == replies[1]
    # Where another instance may answer the same request, the bot is only asked when the message is stored.
    assert len(bot.seen) == (1 if database_url.startswith("postgresql") else 2)


async def test_a_reply_that_cannot_be_stored_fails_and_is_stored_later(database_url: str) -> None:
    """After the head there is no other status. The text is not lost: it is stored as it was, without a restart."""
    bot = GatedBot()
    bot.let_through(2)
    bounds = {"storage_seconds": 0.6, "save_every_seconds": 0.05, "max_reply_characters": 18}
    async with (
        service(database_url, bot, **bounds) as (client, _),
        client.stream("POST", "/api/chat", json=_ASK) as response,
    ):
        chunks = response.chunks()
        raw = await anext(chunks)
        async with locked(database_url):
            bot.let_through(10)
            raw += await response.read()
            transcript = Whole(200, {}, raw).transcript()
            assert transcript.text == "word1 word2 word3 "
            assert transcript.problem.type == "urn:problem:storage-unavailable"
            assert transcript.problem.retryable
        stored = ("assistant", "completed", "length", "word1 word2 word3 ")
        await _until_stored(database_url, ("user", None, None, "go on"), stored)
        reply = await got(client, reply_at(response.headers["reply-id"]))
        assert (reply["text"], reply["finish_reason"]) == ("word1 word2 word3 ", "length")


async def test_progress_that_cannot_be_saved_costs_the_reply_nothing(database_url: str) -> None:
    """Progress only matters in a crash."""
    bot = GatedBot()
    bot.let_through(2)
    bounds = {"storage_seconds": 0.4, "save_every_seconds": 0.01, "max_reply_characters": 60}
    async with (
        service(database_url, bot, **bounds) as (client, _),
        client.stream("POST", "/api/chat", json=_ASK) as response,
    ):
        chunks = response.chunks()
        raw = await anext(chunks)
        async with locked(database_url):
            for _ in range(6):
                bot.let_through(1)
                raw += await anext(chunks)
                await anyio.sleep(0.1)
        bot.let_through(100)
        raw += await response.read()
        assert Whole(200, {}, raw).transcript().reply.finish_reason == "length"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def client(request: pytest.FixtureRequest) -> AsyncGenerator[Client, None]:
    """One application for all examples; it drops ended replies from memory at once, so they are read from the store."""
    async with service(fresh_database_url(request.param), retention_seconds=0) as (client, _):
        yield client


@settings(settings.get_profile("laws"))
@given(texts)
async def test_any_text_is_stored_as_it_was_streamed(client: Client, text: str) -> None:
    """Law 1 with its last part: the words, `done`, the JSON reply and the stored message have the same text."""
    assume(not all(map(is_white_space, text)) and not text.startswith("/simulate"))
    answer = await streamed(client, text)
    transcript = answer.transcript()
    assert transcript.text == transcript.reply.text == normalised(text)
    user, assistant = await messages(client, answer.headers["conversation-id"])
    assert (user["text"], assistant["text"]) == (text, normalised(text))
    again = await client.request("GET", events_of(transcript.reply.reply_id))
    assert again.transcript() == transcript
    assert (await got(client, reply_at(transcript.reply.reply_id)))["text"] == normalised(text)
