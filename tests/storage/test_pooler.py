"""Behind PgBouncer in transaction mode: each transaction is in whatever session is free, and nothing is left in any."""

import asyncio
from typing import Any

import anyio
import pytest
from sqlalchemy import text

from app.storage.address import database_url as parsed
from app.storage.database import Database, create_engine
from app.storage.postgres import Connector
from tests.support.addresses import CHAT
from tests.support.asgi import Whole
from tests.support.bots import GatedBot
from tests.support.databases import empty_database_url, fresh_database_url, run_sql
from tests.support.pgbouncer import pgbouncer
from tests.support.talk import Echo, messages, replied, service

_PATIENCE_SECONDS = 60.0
_LEFT = text(
    "SELECT pg_backend_pid(), (SELECT count(*) FROM pg_prepared_statements WHERE name <> ''),"
    " current_setting('idle_in_transaction_session_timeout')"
)
"""In a session."""


@pytest.mark.parametrize("parameters", ["", "?pgbouncer=true"], ids=["found out", "told"])
async def test_everything_works_through_a_pooler(parameters: str) -> None:
    """From the migration on, for several instances at once, with more clients than sessions."""
    direct = empty_database_url("postgresql")
    with pgbouncer(direct) as pooler:
        url = pooler.url + parameters
        async with service(url, Echo()) as (first, _), service(url, Echo()) as (second, _):
            asked = (replied(client, f"hello {n}") for n in range(60) for client in (first, second))
            for reply in await asyncio.gather(*asked):
                assert reply.state == "completed"
            reply = await replied(first, "one")
            again = [await replied(client, "more", reply.conversation_id) for client in (second, first, second)]
            assert len({one.reply_id for one in again}) == 3
            assert len(await messages(second, reply.conversation_id)) == 8
            left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"  # of a session
            assert await run_sql(direct, left) == [(0,)]
        for _ in range(2):
            async with service(url) as (client, _):
                await replied(client, "hello")
        assert await run_sql(direct, "SELECT count(*) FROM instances") == [(0,)]


async def test_no_session_is_left_with_a_statement_or_a_setting() -> None:
    """Whichever sessions the pooler has: they are as new, so that other clients get what they expect."""
    direct = fresh_database_url("postgresql")
    with pgbouncer(direct) as pooler:
        url = pooler.url
        async with service(url, Echo()) as (client, _):
            await asyncio.gather(*(replied(client, f"hello {n}") for n in range(30)))
            engine = create_engine(parsed(url), _PATIENCE_SECONDS)
            async with engine.connect() as one, engine.connect() as another, engine.connect() as third:
                seen = [(await connection.execute(_LEFT)).one() for connection in (one, another, third)]
            await engine.dispose()
    assert len({process for process, _, _ in seen}) == 3
    assert {(statements, setting) for _, statements, setting in seen} == {(0, "0")}


async def test_a_pooler_is_found_out_and_a_server_is_not_taken_for_one() -> None:
    """Without one, statements stay prepared, which is faster."""
    direct = fresh_database_url("postgresql")
    with pgbouncer(direct) as pooler:
        url = pooler.url
        for address, prepares in ((parsed(direct), True), (parsed(url), False)):
            assert address.kind == "postgresql"
            connector = Connector(address, _PATIENCE_SECONDS)
            engine = create_engine(address, _PATIENCE_SECONDS, connector)
            for _ in range(2):
                async with engine.begin() as connection:
                    await connection.execute(text("SELECT 1"))
            assert connector.prepares is prepares
            await engine.dispose()


async def test_an_instance_lives_on_while_the_pooler_restarts() -> None:
    """Its connections end; its replies do not."""
    direct = fresh_database_url("postgresql")
    bot = GatedBot()
    bot.let_through(2)
    with pgbouncer(direct) as pooler:
        url = pooler.url
        settings: dict[str, Any] = {"lease_seconds": 2, "max_reply_characters": 60, "save_every_seconds": 0.1}
        async with (
            service(url, bot, **settings) as (client, _),
            service(direct, **settings),
            client.stream("POST", CHAT, json={"user_message": "go on"}) as response,
        ):
            await run_sql(
                direct, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )
            await anyio.sleep(4)
            bot.let_through(100)
            assert Whole(200, {}, await response.read()).transcript().reply.finish_reason == "length"
        assert await run_sql(direct, "SELECT state FROM messages WHERE role = 'assistant'") == [("completed",)]


async def test_readiness_and_commands_work_through_a_pooler() -> None:
    """As all that reads or writes only now and then."""
    direct = fresh_database_url("postgresql")
    with pgbouncer(direct) as pooler:
        url = pooler.url
        async with Database(parsed(url), _PATIENCE_SECONDS) as database:
            await database.store.check()
            assert list(await database.keys.keys()) == []
