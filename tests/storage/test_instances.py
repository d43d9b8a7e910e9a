"""Several processes on one database: PostgreSQL serves many, a SQLite file serves one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import anyio
import pytest

from app.chat.errors import BotFailed
from app.chat.model import Conversation
from app.storage.address import database_url as parsed
from app.storage.database import Database
from app.storage.owner import DatabaseInUse
from tests.support.addresses import CHAT, WHOLE, events_of, reply_at
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot, ScriptedBot
from tests.support.databases import fresh_database_url, run_sql
from tests.support.talk import Echo, ask, cancelled, got, messages, problem, replied, service

_PATIENCE_SECONDS = 60.0


@asynccontextmanager
async def _two() -> AsyncIterator[tuple[Client, Client, GatedBot]]:
    """Two instances. The first one's bot is the gated one, the second one's is never asked."""
    url = fresh_database_url("postgresql")
    bot, never = GatedBot(), Echo()
    bot.let_through(2)
    async with (
        service(url, bot, resume_window_seconds=60, save_every_seconds=0.05) as (first, _),
        service(url, never) as (second, _),
    ):
        yield first, second, bot
    assert never.seen == []


async def test_a_sqlite_file_serves_one_process() -> None:
    """A second one is told so, and what to do; the first one does not notice. When it has ended, the file is free."""
    url = fresh_database_url("sqlite")
    async with service(url) as (client, _):
        for _ in range(2):
            with pytest.raises(DatabaseInUse, match="CHAT_DATABASE_URL"):
                async with Database(parsed(url), _PATIENCE_SECONDS):
                    pass
        await replied(client, "hello")
    async with service(url) as (client, _):
        await replied(client, "hello")


async def test_a_conversation_is_busy_on_every_instance() -> None:
    """The client is told which reply it has to wait for, and can read that wherever it asks."""
    async with _two() as (first, second, bot):
        async with first.stream("POST", "/api/chat", json={"user_message": "go on"}) as response:
            reply_id = response.headers["reply-id"]
            busy = await ask(second, "and this", response.headers["conversation-id"])
            assert problem(busy) == (409, "conversation-busy")
            assert urljoin(WHOLE, busy.headers["location"]) == reply_at(reply_id)
            assert not bot.closed.is_set()
            await cancelled(first, reply_id)
            transcript = Whole(200, {}, await response.read()).transcript()
        assert (await second.request("GET", events_of(reply_id))).transcript() == transcript
        await cancelled(second, reply_id)


@pytest.mark.parametrize("is_tried_again", [False, True], ids=["given up", "given up, and tried again"])
async def test_what_another_instance_has_given_up_is_not_completed(*, is_tried_again: bool) -> None:
    """Its readers were told that it was interrupted; so are those that its owner still has, whatever it says yet."""
    url = fresh_database_url("postgresql")
    bot = GatedBot()
    bot.let_through(2)
    body, key = {"user_message": "go on"}, {"idempotency-key": "a"}
    stored = "SELECT reply_id, state FROM messages WHERE role = 'assistant'"
    async with service(url, bot, save_every_seconds=0.05) as (first, _), service(url) as (second, _):
        async with first.stream("POST", CHAT, json=body, headers=key) as response:
            reply_id = response.headers["reply-id"]
            # As a second instance does when the first one's session is lost for a moment.
            await run_sql(url, "UPDATE messages SET state = 'interrupted' WHERE state = 'running'")
            told = [(reply_id, "interrupted")]
            if is_tried_again:
                again = await replied(second, "go on", idempotency_key="a")
                told = [(again.reply_id, "completed")]
            bot.let_through(2)
            transcript = Whole(200, {}, await response.read()).transcript()
            assert transcript.problem.type == "urn:problem:reply-interrupted"
            assert bot.closed.is_set()
        assert await run_sql(url, stored) == told
    assert await run_sql(url, stored) == told


async def test_what_is_tried_again_at_two_instances_at_once_is_one_reply() -> None:
    """After a failure, too: one of them generates it in the place of the failed one, the other one waits for that."""
    url = fresh_database_url("postgresql")
    failing = ScriptedBot(_fails)
    async with service(url, failing) as (first, _), service(url, Echo()) as (second, _):
        for n in range(10):
            failing.script = _fails
            failed = await ask(first, "hello", idempotency_key=f"{n}")
            assert failed.status == 502
            failing.script = Echo().reply

            async def insist(client: Client, conversation_id: str | None, key: str) -> str:
                answer = await ask(client, "hello", conversation_id, idempotency_key=key)
                assert answer.status == 200, answer.content
                return answer.content.decode()

            names = (None, failed.headers["conversation-id"])
            asked = [insist(client, name, f"{n}") for client in (first, second) for name in names]
            assert len(set(await asyncio.gather(*asked))) == 1
        assert await run_sql(url, "SELECT count(*) FROM conversations") == [(10,)]
        assert await run_sql(url, "SELECT state, count(*) FROM messages GROUP BY 1 ORDER BY 1") == [
            ("completed", 10),
            (None, 10),
        ]


async def test_what_was_tried_again_elsewhere_is_not_generated_here() -> None:
    """Though the instance that is asked remembers the failure."""
    url = fresh_database_url("postgresql")
    echo = Echo()
    failing = ScriptedBot(_fails)
    async with service(url, failing) as (first, _), service(url, Echo()) as (second, _):
        assert (await ask(first, "hello", idempotency_key="a")).status == 502
        reply = await replied(second, "hello", idempotency_key="a")
        failing.script = echo.reply
        assert await replied(first, "hello", idempotency_key="a") == reply
    assert echo.seen == []


async def _fails(conversation: Conversation) -> AsyncGenerator[str, None]:
    if conversation.messages:
        raise BotFailed
    yield ""


async def test_a_reply_that_runs_elsewhere_can_be_looked_at() -> None:
    """As far as it is stored."""
    async with _two() as (first, second, bot):
        bot.let_through(2)
        async with first.stream("POST", CHAT, json={"user_message": "go on"}) as response:
            path = reply_at(response.headers["reply-id"])
            with anyio.fail_after(60):
                while (await got(second, path))["words"] < 3:
                    await anyio.sleep(0.001)
            reply = await got(second, path)
            assert (reply["state"], reply["text"]) == ("running", "word1 word2 word3 ")
            assert not {"finish_reason", "problem"} & reply.keys()
            assert await got(first, path) == reply
            await cancelled(first, response.headers["reply-id"])
            await response.read()


async def test_of_two_instances_that_are_asked_at_once_one_answers() -> None:
    """Each message in a conversation has its own reply behind it, whoever was asked; nothing is written over."""
    url = fresh_database_url("postgresql")
    async with service(url) as (first, _), service(url) as (second, _):
        conversation_id = (await replied(first, "hello")).conversation_id
        for n in range(10):
            answers = await asyncio.gather(
                *(ask(client, f"{n} {k}", conversation_id) for k, client in enumerate((first, second, first, second)))
            )
            for answer in answers:
                assert answer.status == 200 or problem(answer) == (409, "conversation-busy")
            assert any(answer.status == 200 for answer in answers)
        said = await messages(first, conversation_id)
        assert [message["role"] for message in said] == ["user", "assistant"] * (len(said) // 2)
        assert [message["text"] for message in said[::2]] == [message["text"] for message in said[1::2]]
        assert {message["state"] for message in said[1::2]} == {"completed"}


async def test_a_key_that_comes_to_two_instances_at_once_gets_one_reply() -> None:
    """Whoever is later attaches to the other one's."""
    url = fresh_database_url("postgresql")
    async with service(url) as (first, _), service(url) as (second, _):
        for n in range(10):

            async def insist(client: Client, key: str) -> str:
                answer = await ask(client, "hello", idempotency_key=key)
                assert answer.status == 200, answer.content
                return answer.content.decode()

            assert len(set(await asyncio.gather(*(insist(client, f"{n}") for client in (first, second) * 2)))) == 1
        assert await run_sql(url, "SELECT count(*) FROM conversations") == [(10,)]


async def test_what_is_deleted_elsewhere_does_not_come_back() -> None:
    """The reply that was running in it is cancelled first, and is stored no more."""
    async with _two() as (first, second, _):
        async with first.stream("POST", "/api/chat", json={"user_message": "go on"}) as response:
            conversation = f"/api/conversations/{response.headers['conversation-id']}"
            assert (await second.request("DELETE", conversation)).status == 204
            assert Whole(200, {}, await response.read()).transcript().reply.finish_reason == "cancelled"
        for client in (first, second):
            assert problem(await client.request("GET", conversation)) == (404, "conversation-not-found")
        assert problem(await ask(first, "hello", conversation[-32:])) == (404, "conversation-not-found")
