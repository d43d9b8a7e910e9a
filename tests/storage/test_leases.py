"""Which of several instances is dead: its replies end, within a bounded time; those of the living never do."""

import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import psutil
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.chat.peers import Peers
from app.storage.address import database_url as parsed
from app.storage.database import create_engine
from app.storage.instances import fence
from tests.support.addresses import CHAT
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot
from tests.support.databases import Postgres, fresh_database_url, run_sql
from tests.support.server import LiveServer
from tests.support.service import SERVICE
from tests.support.talk import Echo, replied, service
from tests.support.upstream import Upstream
from tests.support.wire import Wire, post

_LEASE_SECONDS = 2.0
_PATIENCE_SECONDS = 60.0
_QUICKLY: dict[str, Any] = {"lease_seconds": _LEASE_SECONDS, "save_every_seconds": 0.05, "max_reply_characters": 60}
_STATES = "SELECT state FROM messages WHERE role = 'assistant' ORDER BY created_ms"
_NAMES = "SELECT owner FROM instances ORDER BY 1"


async def _until(url: str, sql: str, is_wanted: Callable[[list[tuple[Any, ...]]], bool]) -> list[tuple[Any, ...]]:
    with anyio.fail_after(_PATIENCE_SECONDS):
        while not is_wanted(rows := await run_sql(url, sql)):
            await anyio.sleep(0.2)
        return rows


async def _outlast_leases(url: str) -> None:
    """Let so much time pass that whoever is dead would have been found out."""
    for _ in range(3):
        await run_sql(url, "SELECT 1")  # it is there
        await anyio.sleep(0.8 * _LEASE_SECONDS)


@asynccontextmanager
async def _instance(url: str, bot: GatedBot | Echo | None = None) -> AsyncIterator[tuple[Client, FastAPI]]:
    async with service(url, bot or Echo(), **_QUICKLY) as instance:
        yield instance


async def test_a_killed_instances_replies_end_and_those_of_the_living_do_not() -> None:
    """A third one, which starts afterwards, changes nothing about that."""
    url = fresh_database_url("postgresql")
    bot = GatedBot()
    bot.let_through(2)
    async with (
        _instance(url, bot) as (living, _),
        living.stream("POST", CHAT, json={"user_message": "go on"}) as response,
    ):
        with (
            LiveServer(program=SERVICE, database_url=url, lease_seconds=_LEASE_SECONDS) as mortal,
            Upstream() as upstream,
        ):
            with Wire(mortal.port) as wire:
                wire.send(post(upstream.message))
                await anyio.to_thread.run_sync(upstream.accept)
                await _until(url, _NAMES, lambda rows: len(rows) == 2)
                await _outlast_leases(url)
                assert await run_sql(url, _STATES) == [("running",), ("running",)]
                mortal.process.kill()
            await _until(url, _STATES, lambda rows: rows == [("running",), ("interrupted",)])
        async with _instance(url):
            await _outlast_leases(url)
        assert await run_sql(url, _STATES) == [("running",), ("interrupted",)]
        bot.let_through(1000)
        transcript = Whole(200, {}, await response.read()).transcript()
        assert transcript.reply.finish_reason == "length"
    assert await run_sql(url, _NAMES) == []


async def test_an_instance_that_is_frozen_finds_out_that_it_was_taken_for_dead() -> None:
    """It ends what it still generates, stores none of it, and goes on under a new name."""
    url = fresh_database_url("postgresql")
    with (
        LiveServer(program=SERVICE, database_url=url, first_word_seconds=0.1, **_QUICKLY) as frozen,
        Upstream() as upstream,
    ):
        with Wire(frozen.port) as wire:
            wire.send(post(upstream.message))
            await anyio.to_thread.run_sync(upstream.accept)
            upstream.say("one")
            upstream.say("two")
            wire.receive_until(b"data: one\n")
            ((name,),) = await _until(url, _NAMES, lambda rows: len(rows) == 1)
            process = psutil.Process(frozen.process.pid)
            process.send_signal(signal.SIGSTOP)
            async with _instance(url):
                await _until(url, _STATES, lambda rows: rows == [("interrupted",)])
                process.send_signal(signal.SIGCONT)
                rest = await anyio.to_thread.run_sync(wire.receive_until, b"0\r\n\r\n")
                assert b"urn:problem:reply-interrupted" in rest
                names = await _until(url, _NAMES, lambda rows: len(rows) == 2)
                assert (name,) not in names
        with Wire(frozen.port) as wire:
            wire.send(post("hello"))
            assert (await anyio.to_thread.run_sync(wire.answer)).status == 200
        assert await run_sql(url, _STATES) == [("interrupted",), ("completed",)]
        assert "taken for dead" in frozen.log()


async def test_an_instance_that_stands_still_while_it_writes_is_found_out() -> None:
    """Its transaction holds its row, and would for as long as it stands still: others end the session."""
    url = fresh_database_url("postgresql")
    async with _instance(url) as (client, _):
        await replied(client, "hello")
    dead = "0f" * 16
    await run_sql(url, "UPDATE messages SET state = 'running', owner = :dead WHERE role = 'assistant'", dead=dead)
    await run_sql(url, "INSERT INTO instances VALUES (:dead, 0, 1000)", dead=dead)
    engine = create_engine(parsed(url), _PATIENCE_SECONDS)
    connection = await engine.connect()
    await connection.run_sync(fence, dead)
    await connection.execute(text("UPDATE messages SET text = 'more' WHERE role = 'assistant'"))
    async with _instance(url):
        await _until(url, _STATES, lambda rows: rows == [("interrupted",)])
    with pytest.raises(DBAPIError):
        await connection.commit()
    await engine.dispose()
    assert await run_sql(url, "SELECT text FROM messages WHERE role = 'assistant'") == [("hello",)]


async def test_nothing_is_begun_under_the_name_of_a_dead_one() -> None:
    """Before it knows: its messages are refused for a moment, and none is left running."""
    url = fresh_database_url("postgresql")
    bot = GatedBot()
    bot.let_through(2)
    async with _instance(url, bot) as (client, _):
        async with client.stream("POST", CHAT, json={"user_message": "go on"}) as response:
            await run_sql(url, "DELETE FROM instances")
            await run_sql(url, "UPDATE messages SET state = 'interrupted' WHERE state = 'running'")
            bot.let_through(1)
            transcript = Whole(200, {}, await response.read()).transcript()
            assert transcript.problem.type == "urn:problem:reply-interrupted"
        await run_sql(url, "DELETE FROM instances")
        with anyio.fail_after(_PATIENCE_SECONDS):
            while (ready := await client.request("GET", "/api/ready")).status != 200:
                assert ready.json()["type"] == "urn:problem:storage-unavailable"
        with anyio.fail_after(_PATIENCE_SECONDS):
            bot.let_through(1000)
            while (answer := await client.request("POST", CHAT, json={"user_message": "again"})).status != 200:
                assert answer.json()["type"] == "urn:problem:storage-unavailable"
    states = await run_sql(url, _STATES)
    assert states[0] == ("interrupted",)
    assert ("running",) not in states


async def test_a_restart_of_the_database_is_nobodys_death() -> None:
    """Nor is a time in which nobody reaches it: all look for a whole lease before they judge anybody."""
    with Postgres() as postgres:
        url = postgres.database_url()
        bot = GatedBot()
        bot.let_through(2)
        async with (
            _instance(url, bot) as (client, _),
            _instance(url),
            client.stream("POST", CHAT, json={"user_message": "go on"}) as response,
        ):
            names = await _until(url, _NAMES, lambda rows: len(rows) == 2)
            await anyio.to_thread.run_sync(postgres.stop)
            await anyio.sleep(2 * _LEASE_SECONDS)
            await anyio.to_thread.run_sync(postgres.start)
            await _outlast_leases(url)
            assert await run_sql(url, _NAMES) == names
            assert await run_sql(url, _STATES) == [("running",)]
            bot.let_through(1000)
            assert Whole(200, {}, await response.read()).transcript().reply.finish_reason == "length"


@pytest.mark.parametrize("seconds", [-7200, 7200])
async def test_a_clock_that_is_set_is_nobodys_death(seconds: int) -> None:
    """As if the database's clock had jumped, in either direction: who lives goes on, and who is dead is found out."""
    url = fresh_database_url("postgresql")
    await run_sql(url, "INSERT INTO instances VALUES ('dead', 0, 1000)")
    jump = "UPDATE instances SET seen_ms = seen_ms + :by"
    async with _instance(url), _instance(url):
        await run_sql(url, jump, by=seconds * 1000)
        names = await _until(url, _NAMES, lambda rows: ("dead",) not in rows)
        assert len(names) == 2
        await _outlast_leases(url)
        assert await run_sql(url, _NAMES) == names


async def test_what_an_older_version_left_behind_ends_too() -> None:
    """It had no rows; while it lives, it holds a lock."""
    url = fresh_database_url("postgresql")
    async with _instance(url) as (client, _):
        await replied(client, "hello")
    await run_sql(url, "UPDATE messages SET state = 'running', owner = :old WHERE role = 'assistant'", old="0f" * 16)
    number = int.from_bytes(bytes.fromhex("0f" * 8), signed=True)
    async with _instance(url):
        async with _holding(url, number):
            await _outlast_leases(url)
            assert await run_sql(url, _STATES) == [("running",)]
        await _until(url, _STATES, lambda rows: rows == [("interrupted",)])


@asynccontextmanager
async def _holding(url: str, number: int) -> AsyncIterator[None]:
    """A session with an advisory lock, as version 0.2 had."""
    engine = create_engine(parsed(url), _PATIENCE_SECONDS)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": number})
            yield
    finally:
        await engine.dispose()


async def test_an_instance_lives_on_after_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, others would end what it generates, while it took itself for alive."""
    url = fresh_database_url("postgresql")
    seen = "SELECT seen_ms FROM instances"
    failed = anyio.Event()

    def fail(_: Peers, reply_ids: Iterable[str]) -> None:
        failed.set()
        raise RuntimeError(len([*reply_ids]))

    async with _instance(url) as (client, _):
        with monkeypatch.context() as patched:
            patched.setattr(Peers, "cancel_all", fail)
            with anyio.fail_after(_PATIENCE_SECONDS):
                await failed.wait()
            ((before,),) = await run_sql(url, seen)
        await _until(url, seen, lambda rows: rows[0][0] > before + 1000 * _LEASE_SECONDS)
        assert (await replied(client, "hello")).text == "hello"
