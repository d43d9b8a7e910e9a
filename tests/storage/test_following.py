"""What one instance generates, others stream, cancel and delete: by the database alone, and over a Valkey server."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest

from app.chat.errors import BotFailed
from app.chat.model import Conversation
from tests.support.addresses import CHAT, conversation_at, events_of, reply_at
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot, ScriptedBot, no_open_reply
from tests.support.databases import fresh_database_url, run_sql
from tests.support.talk import Echo, ask, cancelled, got, problem, replied, service
from tests.support.valkey import sharing

_GO_ON = {"user_message": "go on"}


@dataclass(frozen=True, slots=True)
class _Two:
    """Two instances. The first one's bot is the gated one, the second one's is never asked."""

    url: str
    first: Client
    second: Client
    bot: GatedBot


Settings = dict[str, object]

_BY_DATABASE: Settings = {"save_every_seconds": 0.02, "resume_window_seconds": 60}


@pytest.fixture(params=["the database alone", "Valkey"])
def shared(request: pytest.FixtureRequest) -> Settings:
    """What the instances share words over. Without a server for it, by saving them often."""
    if request.param == "Valkey":
        return sharing() | {"resume_window_seconds": 60, "save_every_seconds": 1}
    return _BY_DATABASE


@asynccontextmanager
async def _two(shared: Settings, **of_the_first: object) -> AsyncIterator[_Two]:
    url = fresh_database_url("postgresql")
    bot, never = GatedBot(), Echo()
    bot.let_through(2)
    async with (
        service(url, bot, **(shared | of_the_first)) as (first, _),
        service(url, never, **shared) as (second, app),
    ):
        yield _Two(url, first, second, bot)
        await no_open_reply(app)
    assert never.seen == []


async def test_a_reply_is_streamed_as_it_is_saved_elsewhere(shared: Settings) -> None:
    """Its words come while it runs, to several readers; the end is the same for all of them."""
    async with _two(shared) as two, two.first.stream("POST", CHAT, json=_GO_ON) as here:
        path = events_of(here.headers["reply-id"])
        async with two.second.stream("GET", path) as there, two.second.stream("GET", path) as again:
            assert (there.status, there.headers["reply-id"]) == (200, here.headers["reply-id"])
            raw = b""
            async for chunk in there.chunks():
                raw += chunk
                if b"word2" in raw:
                    break
                two.bot.let_through(1)
            assert (await got(two.second, reply_at(here.headers["reply-id"])))["state"] == "running"
            await cancelled(two.second, here.headers["reply-id"])
            raw += await there.read()
            transcript = Whole(200, {}, await here.read()).transcript()
            assert Whole(200, {}, raw).transcript() == transcript
            assert Whole(200, {}, await again.read()).transcript() == transcript
        assert transcript.reply.finish_reason == "cancelled"
        assert two.bot.closed.is_set()


async def test_a_client_may_have_read_more_than_is_saved() -> None:
    """It waits, and goes on where it was: nothing comes twice."""
    async with _two(_BY_DATABASE, save_every_seconds=3600) as two, two.first.stream("POST", CHAT, json=_GO_ON) as here:
        reply_id = here.headers["reply-id"]
        two.bot.let_through(2)
        raw = b""
        async for chunk in here.chunks():
            raw += chunk
            if b"word3" in raw:
                break
        after = raw.count(b"\n\n")
        headers = {"last-event-id": f"{reply_id}:{after}"}
        async with two.second.stream("GET", events_of(reply_id), headers=headers) as there:
            await cancelled(two.first, reply_id)
            rest = await there.read()
        assert rest.replace(b": ping\n", b"") == await here.read()


async def test_a_retry_attaches_to_what_runs_elsewhere(shared: Settings) -> None:
    """As a stream and as JSON; neither asks the bot again."""
    async with _two(shared) as two:
        async with two.first.stream("POST", CHAT, json=_GO_ON, headers={"idempotency-key": "a"}) as here:
            async with anyio.create_task_group() as group:
                answers: list[Whole] = []

                async def retry(path: str) -> None:
                    answers.append(await ask(two.second, "go on", path=path, idempotency_key="a"))

                group.start_soon(retry, CHAT)
                group.start_soon(retry, "/api/replies")
                await anyio.sleep(0.05)
                await cancelled(two.first, here.headers["reply-id"])
            await here.read()
        assert [answer.status for answer in answers] == [200, 200]
        assert {answer.headers["reply-id"] for answer in answers if "reply-id" in answer.headers} == {
            here.headers["reply-id"]
        }


async def test_what_is_deleted_elsewhere_is_not_generated_any_more(shared: Settings) -> None:
    """Also where the bot says nothing, so that there is nothing to save."""
    async with _two(shared) as two, two.first.stream("POST", CHAT, json=_GO_ON) as here:
        with anyio.fail_after(60):
            async with two.second.stream("GET", events_of(here.headers["reply-id"])) as there:
                deleted = await two.second.request("DELETE", conversation_at(here.headers["conversation-id"]))
                assert deleted.status == 204
                assert Whole(200, {}, await there.read()).transcript().reply.finish_reason == "cancelled"
            await two.bot.closed.wait()
        await here.read()
        with anyio.fail_after(60):
            while await run_sql(two.url, "SELECT * FROM cancellations"):  # until the next sign of life
                await anyio.sleep(0.1)


@pytest.mark.parametrize("which", ["the conversation", "all conversations"])
async def test_what_is_deleted_elsewhere_while_it_runs_is_gone_here_too(shared: Settings, which: str) -> None:
    """When the deletion is answered, not a bit later."""
    async with _two(shared) as two, two.first.stream("POST", CHAT, json=_GO_ON) as here:
        reply_id, conversation_id = here.headers["reply-id"], here.headers["conversation-id"]
        what = conversation_at(conversation_id) if which == "the conversation" else "/api/conversations"
        deleted = await two.second.request("DELETE", what)
        assert deleted.status == 204
        for path in (reply_at(reply_id), events_of(reply_id)):
            assert problem(await two.first.request("GET", path)) == (404, "reply-not-found")
        assert Whole(200, {}, await here.read()).transcript().reply.finish_reason == "cancelled"


async def test_what_is_deleted_elsewhere_is_gone_here_too() -> None:
    """At once: its reply, its stream, and the key that it was asked for with, however lately it ended here."""
    asked = {"path": "/api/replies", "idempotency_key": "a"}
    async with service(url := fresh_database_url("postgresql")) as (first, _), service(url) as (second, _):
        reply = await ask(first, "go on", **asked)
        reply_id = reply.headers["reply-id"]
        assert (await got(first, reply_at(reply_id)))["state"] == "completed"
        deleted = await second.request("DELETE", conversation_at(reply.headers["conversation-id"]))
        assert deleted.status == 204
        for client in (first, second):
            for path in (reply_at(reply_id), events_of(reply_id)):
                assert problem(await client.request("GET", path)) == (404, "reply-not-found")
        again = await ask(first, "go on", **asked)
        assert again.status == 200
        assert again.headers["reply-id"] != reply_id


async def test_what_was_replaced_elsewhere_is_gone_here_too() -> None:
    """A reply that failed here, and was generated anew by another instance."""

    async def fail(_: Conversation) -> AsyncGenerator[str, None]:
        yield "so "
        raise BotFailed

    url = fresh_database_url("postgresql")
    async with service(url, ScriptedBot(fail)) as (first, _), service(url) as (second, _):
        failed = await ask(first, "go on", idempotency_key="a")
        reply_id = failed.headers["reply-id"]
        assert (await got(first, reply_at(reply_id)))["state"] == "failed"
        assert (await replied(second, "go on", idempotency_key="a")).state == "completed"
        assert problem(await first.request("GET", reply_at(reply_id))) == (404, "reply-not-found")


async def test_what_its_owner_gave_up_is_interrupted_everywhere(shared: Settings) -> None:
    """A reader that follows it learns what the store says."""
    async with _two(shared) as two, two.first.stream("POST", CHAT, json=_GO_ON) as here:
        async with two.second.stream("GET", events_of(here.headers["reply-id"])) as there:
            await run_sql(two.url, "UPDATE messages SET state = 'interrupted' WHERE state = 'running'")
            assert Whole(200, {}, await there.read()).transcript().problem.type == "urn:problem:reply-interrupted"
        two.bot.let_through(2)
        await here.read()


async def test_whoever_leaves_stops_nothing_that_runs_elsewhere(shared: Settings) -> None:
    """The resume window is that of the instance which generates it."""
    async with _two(shared) as two, two.first.stream("POST", CHAT, json=_GO_ON) as here:
        for _ in range(3):
            async with two.second.stream("GET", events_of(here.headers["reply-id"])) as there:
                await anext(there.chunks())
        assert not two.bot.closed.is_set()
        await cancelled(two.first, here.headers["reply-id"])
        await here.read()


async def test_whoever_reads_elsewhere_keeps_it_running(shared: Settings) -> None:
    """For longer than the resume window, after the last reader where it is generated has left."""
    async with _two(shared, resume_window_seconds=1) as two:
        async with two.first.stream("POST", CHAT, json=_GO_ON) as here:
            reply_id = here.headers["reply-id"]
        async with two.second.stream("GET", events_of(reply_id)) as there:
            await anyio.sleep(9)
            assert not two.bot.closed.is_set()
            await cancelled(two.second, reply_id)
            assert Whole(200, {}, await there.read()).transcript().reply.finish_reason == "cancelled"


async def test_another_principals_reply_is_nowhere(shared: Settings) -> None:
    """Whichever instance is asked."""
    async with _two(shared) as two:
        answer = await two.second.request("POST", "/api/replies/" + "0" * 32 + "/cancel")
        assert problem(answer) == (404, "reply-not-found")
