"""Migrations: from any revision to the newest and back, all or nothing, and to just what the code thinks there is."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select

import app.storage
from app.chat.errors import CannotStart
from app.storage.address import database_url as parsed
from app.storage.database import Database, create_engine
from app.storage.migration import _MIGRATING, alembic_config
from app.storage.schema import REVISION, metadata
from tests.support.addresses import events_of, reply_at
from tests.support.databases import empty_database_url, run_sql, run_sync
from tests.support.talk import Echo, ask, got, messages, problem, replied, service

_SCRIPTS = ScriptDirectory(str(Path(app.storage.__file__).parent / "migrations"))
_REVISIONS = [script.revision for script in _SCRIPTS.walk_revisions()][::-1]

Result = TypeVar("Result")


async def _do(url: str, work: Callable[[Connection], Result]) -> Result:
    return await run_sync(url, work, patience_seconds=5)


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _differences(connection: Connection) -> object:
    def is_ours(_: object, name: str | None, *__: object) -> bool:
        return not (name or "").startswith("search_index")  # not the same for each kind of database

    opts = {"compare_type": True, "compare_server_default": True, "include_object": is_ours}
    context = MigrationContext.configure(connection, opts=opts)
    return compare_metadata(context, metadata)


async def test_the_code_knows_the_newest_revision() -> None:
    """It compares with that, so that it need not load Alembic at each start."""
    assert _SCRIPTS.get_heads() == [REVISION]


@pytest.mark.parametrize("revision", _REVISIONS)
async def test_any_revision_can_be_brought_to_the_newest_and_back(revision: str, empty_url: str) -> None:
    """There, the tables are those of the models; at the very beginning, there are none; and it works a second time."""
    for _ in range(2):
        await _do(empty_url, lambda connection: command.upgrade(alembic_config(connection), revision))
        async with Database(parsed(empty_url), 5) as database:
            await database.store.check()
        assert await run_sql(empty_url, "SELECT version_num FROM alembic_version") == [(REVISION,)]
        assert await _do(empty_url, _differences) == []
        await _do(empty_url, lambda connection: command.downgrade(alembic_config(connection), revision))
        assert await run_sql(empty_url, "SELECT version_num FROM alembic_version") == [(revision,)]
        await _do(empty_url, lambda connection: command.downgrade(alembic_config(connection), "base"))
        assert await _do(empty_url, _tables) == {"alembic_version"}


_CONVERSATION, _REPLY = "c" * 32, "e" * 32
_SAID_BEFORE = """
INSERT INTO conversations VALUES (:conversation, 'hello', :now, :now, '');
INSERT INTO messages (conversation_id, position, role, text, created_ms)
VALUES (:conversation, 0, 'user', 'hello', :now);
INSERT INTO messages (conversation_id, position, role, text, created_ms, reply_id, state, finish_reason)
VALUES (:conversation, 1, 'assistant', 'Hi there! ', :now, :reply, 'completed', 'stop');
INSERT INTO idempotency_keys VALUES (:key, 'of the whole request', :reply, :now)
"""


async def test_what_was_said_before_an_update_is_as_good_as_what_is_said_now(empty_url: str) -> None:
    """Replies have no count of words then, and keys were for whole requests: both are made up for."""
    await _do(empty_url, lambda connection: command.upgrade(alembic_config(connection), "0003"))
    nobodys = hashlib.sha256(b"\0a").hexdigest()
    known = {"conversation": _CONVERSATION, "reply": _REPLY, "key": nobodys, "now": time.time_ns() // 1_000_000}
    for sql in _SAID_BEFORE.split(";"):
        await run_sql(empty_url, sql, **{name: value for name, value in known.items() if f":{name}" in sql})
    bot = Echo()
    async with service(empty_url, bot) as (client, _):
        _, said = await messages(client, _CONVERSATION)
        assert "words" not in said
        assert (said["text"], said["finish_reason"]) == ("Hi there! ", "stop")
        reply = await got(client, reply_at(_REPLY))
        assert (reply["words"], reply["text"], reply["state"]) == (2, "Hi there! ", "completed")
        streamed = (await client.request("GET", events_of(_REPLY))).transcript()
        assert (streamed.words, streamed.reply.words) == (("Hi ", "there! "), 2)
        assert (await replied(client, "hello", idempotency_key="a")).reply_id == _REPLY
        assert problem(await ask(client, "hello!", idempotency_key="a")) == (409, "idempotency-key-reused")
        assert bot.seen == []
        await replied(client, "more", _CONVERSATION)
    assert bot.seen == [[("user", "hello"), ("assistant", "Hi there! "), ("user", "more")]]


async def test_the_comparison_sees_what_is_different(empty_url: str) -> None:
    """Of this test's own tools: a column too many, and an index too few."""
    async with Database(parsed(empty_url), 5):
        pass
    await run_sql(empty_url, "ALTER TABLE messages ADD COLUMN mood VARCHAR(8)")
    await run_sql(empty_url, "DROP INDEX ix_messages_reply_id")
    differences = str(await _do(empty_url, _differences))
    assert "mood" in differences
    assert "ix_messages_reply_id" in differences


async def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    """Nor does one that a crash ends: all of it is one transaction, and can be tried again."""
    await run_sql(empty_url, "CREATE TABLE messages (of_somebody_else INTEGER)")  # in the way of the last step
    for _ in range(2):
        with pytest.raises(CannotStart, match="CHAT_DATABASE_URL: "):
            async with Database(parsed(empty_url), 5):
                pass
        assert await _do(empty_url, _tables) == {"messages"}
    await run_sql(empty_url, "DROP TABLE messages")
    async with service(empty_url) as (client, _):
        await replied(client, "hello")


async def test_instances_that_start_together_migrate_once() -> None:
    """All come up, on a PostgreSQL database that was empty."""
    database_url = empty_database_url("postgresql")

    async def start() -> None:
        async with service(database_url) as (client, _):
            await replied(client, "hello")

    await asyncio.gather(*(start() for _ in range(4)))
    async with service(database_url) as (client, _):
        assert len((await got(client, "/api/conversations"))["conversations"]) == 4


_LOST = ("UPDATE compatibility SET oldest = '9999'", "DELETE FROM compatibility", "DROP TABLE compatibility")


@pytest.mark.parametrize("change", _LOST)
async def test_a_database_of_a_newer_version_is_left_alone(empty_url: str, change: str) -> None:
    """Where that says that this one cannot use it, or nothing says that it can. Whoever goes back to it is told."""
    async with service(empty_url) as (client, _):
        await replied(client, "hello")
    await run_sql(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    await run_sql(empty_url, change)
    with pytest.raises(CannotStart, match="revision 9999"):
        async with Database(parsed(empty_url), 5):
            pass
    assert await run_sql(empty_url, "SELECT count(*) FROM messages") == [(2,)]


async def test_a_database_of_a_newer_version_that_only_adds_is_used(empty_url: str) -> None:
    """An update is undone by starting the version before, which does not migrate."""
    async with service(empty_url) as (client, _):
        reply = await replied(client, "hello")
    await run_sql(empty_url, "ALTER TABLE messages ADD COLUMN mood text")
    await run_sql(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    async with service(empty_url) as (client, _):
        assert (await replied(client, "more", reply.conversation_id)).state == "completed"
    assert await run_sql(empty_url, "SELECT version_num FROM alembic_version") == [("9999",)]


async def test_a_migration_may_take_longer_than_a_request() -> None:
    """On a large table, or because another instance migrates: the patience of requests does not count."""
    url = empty_database_url("postgresql")
    engine = create_engine(parsed(url), 60)
    async with engine.connect() as other:
        await other.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
        async with asyncio.TaskGroup() as group:

            async def start() -> None:
                async with Database(parsed(url), patience_seconds=0.3):
                    pass

            started = group.create_task(start())
            await asyncio.sleep(1)
            assert not started.done()
            await other.rollback()
    await engine.dispose()
    assert await run_sql(url, "SELECT version_num FROM alembic_version") == [(REVISION,)]
