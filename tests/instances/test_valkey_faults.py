"""Whatever becomes of the Valkey server: local readers notice nothing, remote ones get every word once, and one end."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest
from fastapi import FastAPI

from tests.support.addresses import CHAT, events_of
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot, no_open_reply
from tests.support.cable import Cable
from tests.support.databases import fresh_database_url, run_sql
from tests.support.talk import Echo, cancelled, got, service
from tests.support.valkey import Valkey

_GO_ON = {"user_message": "go on"}
_PATIENCE_SECONDS = 60.0


class _Reader:
    """Reads a stream in the background."""

    def __init__(self, client: Client, reply_id: str, group: anyio.abc.TaskGroup) -> None:
        self.raw = b""
        self._news = anyio.Event()
        group.start_soon(self._read, client, reply_id)

    async def _read(self, client: Client, reply_id: str) -> None:
        async with client.stream("GET", events_of(reply_id)) as response:
            async for chunk in response.chunks():
                self.raw += chunk
                news, self._news = self._news, anyio.Event()
                news.set()

    async def has(self, wanted: bytes) -> None:
        """Wait for it."""
        with anyio.fail_after(_PATIENCE_SECONDS):
            while wanted not in self.raw:
                await self._news.wait()

    def whole(self) -> Whole:
        """What was read."""
        return Whole(200, {}, self.raw)


class _Trial:
    """One reply, with a reader at its own instance and one at another."""

    def __init__(self, server: Valkey, cable: Cable, url: str) -> None:
        self.server = server
        self.cable = cable
        self.url = url
        self.bot = GatedBot()
        self.count = 0
        self.first: Client
        self.second: Client
        self.app: FastAPI
        self.local: _Reader
        self.remote: _Reader

    async def words(self, count: int = 3) -> None:
        """The bot says more, and the local reader gets it, whatever the server does."""
        self.bot.let_through(count)
        self.count += count
        await self.local.has(f"data: word{self.count - 1} ".encode())

    async def arrive(self) -> None:
        """The remote reader gets all that there is."""
        await self.remote.has(f"data: word{self.count - 1} ".encode())


@asynccontextmanager
async def _trial(server: Valkey) -> AsyncIterator[_Trial]:
    url = fresh_database_url("postgresql")
    async with Cable(server.port) as cable:
        trial = _Trial(server, cable, url)
        sharing = {
            "valkey_url": cable.url.replace("http", "redis"),
            "save_every_seconds": 0.5,
            "resume_window_seconds": 60,
        }
        async with (
            service(url, trial.bot, **sharing) as (trial.first, _),
            service(url, Echo(), **sharing) as (trial.second, trial.app),
            trial.first.stream("POST", CHAT, json=_GO_ON) as here,
            anyio.create_task_group() as group,
        ):
            trial.bot.let_through(1)
            await here.head()
            reply_id = here.headers["reply-id"]
            trial.local = _Reader(trial.first, reply_id, group)
            trial.remote = _Reader(trial.second, reply_id, group)
            trial.count = 1
            await trial.words()
            await trial.arrive()
            yield trial
            await trial.words()
            await trial.arrive()
            late = _Reader(trial.second, reply_id, group)
            await cancelled(trial.second, reply_id)
            await here.read()
        transcript = trial.local.whole().transcript()
        assert transcript.reply.finish_reason == "cancelled"
        assert trial.remote.whole().transcript() == transcript
        assert late.whole().transcript() == transcript
        assert await run_sql(url, "SELECT state FROM messages WHERE role = 'assistant'") == [("cancelled",)]


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    """A server of these tests' own."""
    with Valkey() as valkey:
        yield valkey


async def test_a_server_that_dies_and_comes_back_empty(server: Valkey) -> None:
    """It is filled again, from the first word on."""
    async with _trial(server) as trial:
        await anyio.to_thread.run_sync(server.kill)
        await trial.words()
        await trial.arrive()  # as the database has them
        await anyio.to_thread.run_sync(server.start)
        await trial.words()
        with anyio.fail_after(_PATIENCE_SECONDS):
            while not (await anyio.to_thread.run_sync(server.run, "KEYS", "chat:????????????????????????????????")):
                await trial.words(1)
                await anyio.sleep(0.1)


async def test_everything_is_deleted_on_a_living_server(server: Valkey) -> None:
    """That is no sign of anybody's death."""
    async with _trial(server) as trial:
        for _ in range(3):
            await anyio.to_thread.run_sync(server.run, "FLUSHALL")
            await trial.words()
            await trial.arrive()


async def test_connections_that_break_all_the_time(server: Valkey) -> None:
    """Before, while and after something is sent, or only the answer is lost."""
    async with _trial(server) as trial:
        for n in range(12):
            trial.bot.let_through(1)
            trial.count += 1
            await anyio.sleep(0.006 * n)
            trial.cable.shake()
            await trial.words(1)
        trial.cable.cut()
        await trial.words()
        trial.cable.join()


async def test_a_server_that_stands_still(server: Valkey) -> None:
    """For longer than anybody waits for it. The service answers meanwhile."""
    async with _trial(server) as trial:
        server.freeze()
        try:
            with anyio.move_on_after(3):
                while True:
                    await trial.words(1)
                    assert (await got(trial.first, "/api/health"))["status"] == "success"
                    assert (await got(trial.first, "/api/ready"))["status"] == "success"
                    await anyio.sleep(0.2)
        finally:
            server.thaw()


async def test_a_server_that_is_full(server: Valkey) -> None:
    """It refuses every write, until there is room again."""
    async with _trial(server) as trial:
        await anyio.to_thread.run_sync(server.run, "CONFIG", "SET", "maxmemory", "1")
        await trial.words()
        await trial.arrive()
        await anyio.to_thread.run_sync(server.run, "CONFIG", "SET", "maxmemory", "0")


async def test_a_server_that_is_not_there_at_the_start(server: Valkey) -> None:
    """The service starts without it, and uses it when it comes."""
    await anyio.to_thread.run_sync(server.kill)
    url = fresh_database_url("postgresql")
    bot = GatedBot()
    settings = {"valkey_url": server.url, "save_every_seconds": 0.5}
    async with service(url, bot, **settings) as (first, _), service(url, Echo(), **settings) as (second, app):
        bot.let_through(3)
        async with first.stream("POST", CHAT, json=_GO_ON) as here:
            await anyio.to_thread.run_sync(server.start)
            async with second.stream("GET", events_of(here.headers["reply-id"])) as there:
                await cancelled(second, here.headers["reply-id"])
                assert await there.read() == await here.read()
        await no_open_reply(app)
