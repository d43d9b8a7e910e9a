"""Whatever happens between two steps of an instance that attaches to, or cancels, a reply of another one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

import anyio
import pytest

from app.chat.model import Conversation
from tests.support.addresses import CHAT, WHOLE, cancel_of, conversation_at, events_of
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot, ScriptedBot
from tests.support.databases import fresh_database_url, run_sql
from tests.support.passing import PIECE_BYTES, Proxy
from tests.support.talk import Echo, ask, cancelled, problem, service
from tests.support.valkey import Valkey, sharing

_GO_ON = {"user_message": "go on"}


class _Stepper(Proxy):
    """Forwards to a server, and does something before each piece, in either direction."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.before_each: Callable[[], Awaitable[None]] | None = None

    async def _connection(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._pass_on(from_client, to_server), self._pass_on(from_server, to_client))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while data := await reader.read(PIECE_BYTES):
                if self.before_each is not None:
                    await self.before_each()
                writer.write(data)


class _Maker:
    """A reply that gets a word at a time, until it ends."""

    def __init__(self) -> None:
        self.words: asyncio.Queue[str | None] = asyncio.Queue()

    async def reply(self, _: Conversation) -> AsyncGenerator[str, None]:
        """Until there is none."""
        while (word := await self.words.get()) is not None:
            yield word


@pytest.mark.parametrize("end_at", range(1, 8))
async def test_words_and_the_end_come_between_any_two_steps(end_at: int) -> None:
    """Of an attach: nothing is missed, and nothing comes twice."""
    url = fresh_database_url("postgresql")
    bot = ScriptedBot(_Maker().reply)
    steps = 0
    with Valkey() as server:
        async with _Stepper(server.port) as stepper:
            direct = {"valkey_url": server.url, "save_every_seconds": 3600}
            stepped = {"valkey_url": stepper.url.replace("http", "redis"), "save_every_seconds": 1}
            async with service(url, bot, **direct) as (first, _), service(url, Echo(), **stepped) as (second, _):
                maker = _Maker()
                bot.script = maker.reply
                maker.words.put_nowait("so ")
                maker.words.put_nowait("it ")
                async with first.stream("POST", CHAT, json=_GO_ON) as here:
                    await here.head()

                    async def add() -> None:
                        nonlocal steps
                        steps += 1
                        maker.words.put_nowait(f"goes{steps} " if steps < end_at else None)
                        await asyncio.sleep(0.04)  # it is on the server then

                    stepper.before_each = add
                    async with second.stream("GET", events_of(here.headers["reply-id"])) as there:
                        with anyio.fail_after(60):
                            remote = Whole(200, {}, await there.read()).transcript()
                    assert remote == Whole(200, {}, await here.read()).transcript()
                    assert remote.reply.finish_reason == "stop"
    assert steps >= end_at


@asynccontextmanager
async def _two() -> AsyncIterator[tuple[str, Client, Client, GatedBot]]:
    url = fresh_database_url("postgresql")
    bot = GatedBot()
    settings = sharing() | {"first_word_seconds": 0.1, "resume_window_seconds": 60}
    async with service(url, bot, **settings) as (first, _), service(url, Echo(), **settings) as (second, _):
        yield url, first, second, bot


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_reply_is_cancelled_elsewhere_before_its_first_word(times: int) -> None:
    """Also several times at once: there is one end, the same for everybody."""
    async with _two() as (_, first, second, _), first.stream("POST", CHAT, json=_GO_ON) as here:
        await here.head()
        reply_id = here.headers["reply-id"]
        async with anyio.create_task_group() as group:
            for _ in range(times):
                group.start_soon(cancelled, second, reply_id)
        transcript = Whole(200, {}, await here.read()).transcript()
        assert (transcript.reply.finish_reason, transcript.words) == ("cancelled", ())
        assert (await second.request("GET", events_of(reply_id))).transcript().end == transcript.end
        await cancelled(second, reply_id)


async def test_a_reply_is_cancelled_elsewhere_as_it_ends() -> None:
    """Either is its end, but only one, and the one that is stored."""
    async with _two() as (url, first, second, bot):
        for n in range(10):
            async with first.stream("POST", CHAT, json=_GO_ON) as here:
                await here.head()
                reply_id = here.headers["reply-id"]
                async with anyio.create_task_group() as group:
                    group.start_soon(cancelled, first if n % 2 else second, reply_id)
                    await anyio.sleep(0.004 * n)
                    bot.let_through(2)
                transcript = Whole(200, {}, await here.read()).transcript()
            assert (await second.request("GET", events_of(reply_id))).transcript().end == transcript.end
            stored = await run_sql(url, "SELECT state, text FROM messages WHERE reply_id = :id", id=reply_id)
            assert stored == [(transcript.reply.state, "".join(transcript.words))]


async def test_what_a_dead_instance_made_cannot_be_cancelled_into_a_second_end() -> None:
    """Its end is that it was interrupted, once others know."""
    async with _two() as (url, first, second, _):
        reply = await ask(second, "hello")
        reply_id, conversation_id = reply.headers["reply-id"], reply.headers["conversation-id"]
        await run_sql(url, "UPDATE messages SET state = 'interrupted', finish_reason = NULL WHERE reply_id IS NOT NULL")
        for client in (first, second):
            assert (await client.request("POST", cancel_of(reply_id))).status == 204
        states = await run_sql(url, "SELECT state FROM messages WHERE reply_id = :id", id=reply_id)
        assert states == [("interrupted",)]
        assert (await first.request("DELETE", conversation_at(conversation_id))).status == 204
        assert problem(await second.request("DELETE", conversation_at(conversation_id))) == (
            404,
            "conversation-not-found",
        )


async def test_a_message_elsewhere_may_cancel_a_reply() -> None:
    """Whichever instances they are sent to, and whoever is faster: messages alternate, and none is lost."""
    async with _two() as (url, first, second, bot):
        conversation_id = (await ask(second, "hello")).headers["conversation-id"]
        for n in range(4):
            body = {"user_message": f"go on {n}", "conversation_id": conversation_id, "on_busy": "cancel"}
            async with first.stream("POST", CHAT, json=body) as here:
                bot.let_through(3)
                await here.head()
                answer = await second.request("POST", WHOLE, json=body | {"user_message": f"stop {n}"})
                assert (answer.status, answer.json()["text"]) == (200, f"stop {n}")
                assert Whole(200, {}, await here.read()).transcript().reply.finish_reason == "cancelled"
        said = await run_sql(url, "SELECT role, state FROM messages ORDER BY position")
        assert [role for role, _ in said] == ["user", "assistant"] * 9
        assert [state for _, state in said[1::2]] == ["completed"] + ["cancelled", "completed"] * 4


async def test_one_key_at_two_instances_at_once_is_one_generation() -> None:
    """As streams and as JSON, while the reply still runs: the bots are asked once, all in all."""
    url = fresh_database_url("postgresql")
    asked = 0

    async def slowly(_: Conversation) -> AsyncGenerator[str, None]:
        nonlocal asked
        asked += 1
        for word in ("so ", "it ", "goes "):
            yield word
            await anyio.sleep(0.02)

    settings = sharing()
    bots = ScriptedBot(slowly), ScriptedBot(slowly)
    async with service(url, bots[0], **settings) as (first, _), service(url, bots[1], **settings) as (second, _):
        for n in range(10):
            asked = 0
            answers: list[Whole] = []

            async def send(client: Client, path: str, key: str, answers: list[Whole] = answers) -> None:
                answers.append(await ask(client, "hello", path=path, idempotency_key=key))

            async with anyio.create_task_group() as group:
                for client in (first, second):
                    for path in (CHAT, WHOLE):
                        group.start_soon(send, client, path, f"{n}")
            assert [answer.status for answer in answers] == [200] * 4
            assert len({answer.headers["reply-id"] for answer in answers}) == 1
            assert asked == 1
            stored = "SELECT count(*) FROM messages WHERE role = 'assistant'"
            assert await run_sql(url, stored) == [(n + 1,)]


@pytest.mark.parametrize("on_busy", ["cancel", "refuse"])
async def test_one_key_in_one_conversation_is_one_generation(on_busy: str) -> None:
    """A request that is sent to two instances is neither refused nor cancelled because of its own reply."""
    url = fresh_database_url("postgresql")

    async def slowly(_: Conversation) -> AsyncGenerator[str, None]:
        yield "so "
        await anyio.sleep(0.1)

    settings = sharing()
    async with (
        service(url, ScriptedBot(slowly), **settings) as (first, _),
        service(url, ScriptedBot(slowly), **settings) as (second, _),
    ):
        conversations = [(await ask(first, "hello")).headers["conversation-id"] for _ in range(5)]
        for n in range(6):
            answers: dict[str, list[Whole]] = {conversation_id: [] for conversation_id in conversations}

            async def send(
                client: Client, conversation_id: str, n: int = n, answers: dict[str, list[Whole]] = answers
            ) -> None:
                body = {"user_message": "go on", "conversation_id": conversation_id, "on_busy": on_busy}
                key = {"idempotency-key": f"{conversation_id}-{n}"}
                answers[conversation_id].append(await client.request("POST", WHOLE, json=body, headers=key))

            async with anyio.create_task_group() as group:
                for index, conversation_id in enumerate(conversations):
                    group.start_soon(send, first, conversation_id)
                    await anyio.sleep(0.002 * (n + index))
                    group.start_soon(send, second, conversation_id)
            for pair in answers.values():
                assert [answer.status for answer in pair] == [200, 200], [answer.content for answer in pair]
                assert {answer.json()["finish_reason"] for answer in pair} == {"stop"}
                assert len({answer.headers["reply-id"] for answer in pair}) == 1
