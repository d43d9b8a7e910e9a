"""Limits that instances share over a Valkey server, and what decides when it does not answer."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest

from app.access.shared import SharedCounts
from app.eventlog.server import valkey_url
from tests.support.addresses import CHAT, conversation_at
from tests.support.asgi import Client, Whole
from tests.support.databases import fresh_database_url
from tests.support.talk import problem, service
from tests.support.valkey import Valkey, keys, sharing

_PATIENCE_SECONDS = 30.0
_LIST = conversation_at("")[:-1]
_STALLED = {"user_message": "/simulate stall_after=3\nhello there, my world"}
_RATE = re.compile(rb'"requests";r=([0-9]+);t=([0-9]+)')


@asynccontextmanager
async def _two(**settings: object) -> AsyncIterator[tuple[Client, Client]]:
    url = fresh_database_url("postgresql")
    async with service(url, None, **settings) as (first, _), service(url, None, **settings) as (second, _):
        yield first, second


@asynccontextmanager
async def _counts(server: Valkey, stream_seconds: float) -> AsyncIterator[SharedCounts]:
    async with SharedCounts(valkey_url(server.url).client(0.25), "test:", stream_seconds) as counts:
        yield counts


async def _left(client: Client) -> int:
    """Send a request. Returns how many are left, or -1 for a refusal."""
    answer = await client.request("GET", _LIST)
    match = _RATE.fullmatch(answer.headers["ratelimit"].encode())
    assert match
    assert 1 <= int(match[2]) <= 60
    if answer.status == 429:
        assert answer.headers["retry-after"] == match[2].decode()
        return -1
    assert answer.status == 200
    return int(match[1])


async def test_requests_count_at_all_instances_together() -> None:
    """The headers say what is left of them."""
    async with _two(requests_per_minute=5, **sharing()) as (first, second):
        assert [await _left(client) for client in (first, second, first, second, second)] == [4, 3, 2, 1, 0]
        assert [await _left(client) for client in (first, second)] == [-1, -1]


async def test_requests_at_the_same_time_count_once_each() -> None:
    """However many go out together."""
    async with _two(requests_per_minute=50, **sharing()) as (first, second):
        left = await asyncio.gather(*(_left(client) for client in (first, second) for _ in range(40)))
        assert sorted(left) == [-1] * 30 + list(range(50))


async def test_streams_count_at_all_instances_together() -> None:
    """Until one of them is over."""
    async with _two(streams_per_client=2, **sharing()) as (first, second), AsyncExitStack() as stack:
        open_one = first.stream("POST", CHAT, json=_STALLED)
        await open_one.__aenter__()
        await stack.enter_async_context(second.stream("POST", CHAT, json=_STALLED))
        for client in (first, second):
            answer = await client.request("POST", CHAT, json=_STALLED)
            assert problem(answer) == (429, "stream-limit-reached")
        await open_one.__aexit__(None, None, None)
        with anyio.fail_after(_PATIENCE_SECONDS):
            while (await _one_more(second)).status == 429:
                await anyio.sleep(0.01)


async def _one_more(client: Client) -> Whole:
    return await client.request("POST", CHAT, json={"user_message": "hello"})


async def test_a_stream_that_ends_while_another_is_refused_is_given_back() -> None:
    """The one that ends, not the one that is asked for."""
    with Valkey() as server:
        async with _counts(server, 30) as first, _counts(server, 30) as second:
            assert await first.enter("client", 2)
            assert await second.enter("client", 2)
            refused = asyncio.create_task(first.enter("client", 2))
            await asyncio.sleep(0)  # it waits for the answer
            first.leave("client")
            assert await refused is False
            assert await first.enter("client", 2)
            assert await first.enter("client", 2) is False
        assert await keys(server) == []


async def test_a_stream_that_ends_while_another_is_cancelled_is_given_back() -> None:
    """Both are."""
    with Valkey() as server:
        async with _counts(server, 30) as counts:
            assert await counts.enter("client", 2)
            cancelled = asyncio.create_task(counts.enter("client", 2))
            await asyncio.sleep(0)  # it waits for the answer
            cancelled.cancel()
            counts.leave("client")
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert await counts.enter("client", 1)
        assert await keys(server) == []


async def test_the_streams_of_a_dead_instance_are_given_back() -> None:
    """Those of a living one count for as long as they are open."""
    with Valkey() as server:
        dead = SharedCounts(valkey_url(server.url).client(0.25), "test:", 1)
        async with _counts(server, 1) as living:
            await dead.__aenter__()
            assert await dead.enter("client", 2)
            assert await living.enter("client", 2)
            assert await living.enter("client", 2) is False
            tasks, dead._open = dead._tasks, {}  # noqa: SLF001 - as if it were killed: it gives nothing back
            await dead.__aexit__(None, None, None)
            assert all(task.done() for task in tasks)
            with anyio.fail_after(_PATIENCE_SECONDS):
                while not await living.enter("client", 2):
                    await anyio.sleep(0.05)
            await anyio.sleep(1.5)
            assert await living.enter("client", 2) is False
        assert await keys(server) == []


async def test_a_server_that_comes_back_empty_learns_what_is_open() -> None:
    """From the instances."""
    with Valkey() as server:
        async with _counts(server, 1) as first, _counts(server, 1) as second:
            assert await first.enter("client", 1)
            server.kill()
            assert await second.enter("client", 1) is None
            second.leave("client")
            server.start()
            with anyio.fail_after(_PATIENCE_SECONDS):
                while await second.enter("client", 1) is not False:
                    second.leave("client")
                    await anyio.sleep(0.05)


@pytest.mark.parametrize("how", ["frozen", "dead", "full"])
async def test_without_the_server_each_instance_counts(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """No request fails or waits for long; the log has a line when that begins, and one when it ends."""
    with Valkey(maxmemory="3mb") as server:
        settings: dict[str, object] = {"valkey_url": server.url, "valkey_prefix": f"{how}:"}
        async with _two(requests_per_minute=10, streams_per_client=1, **settings) as (first, second):
            assert [await _left(client) for client in (first, second)] == [9, 8]
            caplog.set_level("INFO", "app.access.shared")
            match how:
                case "frozen":
                    server.freeze()
                case "dead":
                    server.kill()
                case _:
                    server.run("CONFIG", "SET", "maxmemory", "1")
            assert [await _left(first) for _ in range(3)] == [8, 7, 6]
            assert [await _left(second) for _ in range(3)] == [8, 7, 6]
            assert (await _one_more(first)).status == 200
            assert sum("each instance does" in record.message for record in caplog.records) == 2
            match how:
                case "frozen":
                    server.thaw()
                case "dead":
                    server.start()
                case _:
                    server.run("CONFIG", "SET", "maxmemory", "3mb")
            with anyio.fail_after(_PATIENCE_SECONDS):
                while sum("again" in record.message for record in caplog.records) < 2:
                    await asyncio.gather(_left(first), _left(second))
                    await anyio.sleep(0.3)
            assert sum("each instance does" in record.message for record in caplog.records) == 2


@pytest.mark.parametrize("strange", [("RPUSH", "x"), ("SET", "x")])
async def test_a_strange_key_concerns_one_client(strange: tuple[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Its instance counts for it; the others still count together."""
    command, value = strange
    with Valkey() as server:
        async with _counts(server, 30) as first, _counts(server, 30) as second:
            for kind in ("requests", "streams"):
                await asyncio.to_thread(server.run, command, first._key(kind, "one"), value)  # noqa: SLF001
            for n in range(1, 4):
                assert await first.request("one", 60) is None
                assert await first.enter("one", 1) is None
                seen = [await counts.request("other", 60) for counts in (first, second)]
                assert [answer and answer[0] for answer in seen] == [2 * n - 1, 2 * n]
    assert not caplog.messages
