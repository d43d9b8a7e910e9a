"""An update without an interruption: while instances of the new version start, those of the old one serve on.

So a migration may only add: what the old version reads is still there, and what it writes is still accepted.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from app.storage.migration import alembic_config
from app.storage.schema import metadata
from tests.support.addresses import CHAT, conversation_at, reply_at
from tests.support.asgi import Client, Response, Whole
from tests.support.databases import empty_database_url, fresh_database_url, run_sync
from tests.support.stream import Transcript
from tests.support.talk import cancelled, got, messages, replied, service

_FIRST = "0004"
"""The revision of the first version that others may run beside."""


@dataclass(frozen=True, slots=True)
class _Table:
    columns: dict[str, tuple[str, bool, bool]]
    """Type, whether it may be null, and whether it has a default."""
    keys: dict[str, Any] = field(default_factory=dict)
    """What values have to keep to: by kind of constraint, those that there are."""


def _tables(connection: Connection) -> dict[str, _Table]:
    inspector = inspect(connection)
    tables: dict[str, _Table] = {}
    for name in inspector.get_table_names():
        columns = {
            column["name"]: (str(column["type"]), column["nullable"], column["default"] is not None)
            for column in inspector.get_columns(name)
        }
        unique = {tuple(index["column_names"]) for index in inspector.get_indexes(name) if index["unique"]}
        keys = {
            "primary": inspector.get_pk_constraint(name)["constrained_columns"],
            "unique": unique | {tuple(found["column_names"]) for found in inspector.get_unique_constraints(name)},
            "foreign": {tuple(found["constrained_columns"]) for found in inspector.get_foreign_keys(name)},
            "check": {found["sqltext"] for found in inspector.get_check_constraints(name)},
        }
        tables[name] = _Table(columns, keys)
    return tables


def _what_old_versions_miss(before: dict[str, _Table], after: dict[str, _Table]) -> Iterator[str]:
    """What a migration has done that a version which does not know it cannot live with."""
    for name, table in before.items():
        if name not in after:
            yield f"the table {name} is gone"
            continue
        now = after[name]
        for column, (kind, nullable, _) in table.columns.items():
            if column not in now.columns:
                yield f"the column {name}.{column} is gone"
            elif now.columns[column][0] != kind or (nullable and not now.columns[column][1]):
                yield f"the column {name}.{column} is of another type, or may not be null any more"
        for column in now.columns.keys() - table.columns.keys():
            _, nullable, has_default = now.columns[column]
            if not (nullable or has_default):
                yield f"the column {name}.{column} has to be written"
        yield from (f"the {kind} key of {name} is another" for kind in table.keys if now.keys[kind] != table.keys[kind])


async def test_a_migration_only_adds() -> None:
    """See the rule in docs/CONTRIBUTING.md. Each is compared with the one before it.

    So `compatibility.oldest` may stay what it is: any version that can read that can use the tables.
    """
    url = empty_database_url("postgresql")

    def migrate(connection: Connection) -> list[str]:
        config = alembic_config(connection)
        script = ScriptDirectory.from_config(config)
        found: list[str] = []
        command.upgrade(config, _FIRST)
        before = _tables(connection)
        for revision in reversed(list(script.iterate_revisions("head", _FIRST))):
            command.upgrade(config, revision.revision)
            after = _tables(connection)
            found += [f"{revision.revision}: {what}" for what in _what_old_versions_miss(before, after)]
            before = after
        return found

    assert await run_sync(url, migrate) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("ALTER TABLE messages DROP COLUMN words", "the column messages.words is gone"),
        ("ALTER TABLE messages RENAME COLUMN words TO count", "the column messages.words is gone"),
        ("ALTER TABLE messages ALTER COLUMN words TYPE integer", "messages.words is of another type"),
        ("ALTER TABLE messages ALTER COLUMN words SET NOT NULL", "messages.words is of another type"),
        ("ALTER TABLE messages ADD COLUMN mood text NOT NULL", "messages.mood has to be written"),
        ("ALTER TABLE messages ADD CHECK (words < 10)", "the check key of messages is another"),
        ("CREATE UNIQUE INDEX once ON messages (created_ms)", "the unique key of messages is another"),
        ("DROP TABLE cancellations", "the table cancellations is gone"),
        ("ALTER TABLE messages ADD COLUMN mood text NOT NULL DEFAULT ''", None),
        ("CREATE INDEX often ON messages (created_ms)", None),
        ("CREATE TABLE moods (mood text NOT NULL)", None),
    ],
)
async def test_the_comparison_sees_what_old_versions_miss(change: str, found: str | None) -> None:
    """And nothing else."""

    def compare(connection: Connection) -> list[str]:
        before = _tables(connection)
        connection.execute(sa.text(change))
        told = list(_what_old_versions_miss(before, _tables(connection)))
        connection.rollback()
        return told

    told = await run_sync(_shared_url(), compare)
    assert isinstance(told, list)
    assert len(told) == (found is not None)
    assert found is None or found in told[0]


@cache
def _shared_url() -> str:
    """One database for all comparisons, which change nothing."""
    return fresh_database_url("postgresql")


def _add(connection: Connection) -> None:
    """All that a migration may do, to every table."""
    operations = Operations(MigrationContext.configure(connection))
    for table in metadata.sorted_tables:
        operations.add_column(table.name, sa.Column("added_later", sa.Text()))
        operations.add_column(table.name, sa.Column("level", sa.BigInteger(), nullable=False, server_default="0"))
        operations.create_index(f"ix_{table.name}_level", table.name, ["level"])
        operations.create_table(f"more_{table.name}", sa.Column("id", sa.BigInteger(), primary_key=True))
    connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))


async def _use(client: Client) -> None:
    """All that clients do, twice, so that statements are prepared."""
    for _ in range(2):
        key = secrets.token_hex(8)
        first = await replied(client, "hello", idempotency_key=key)
        assert (await replied(client, "hello", idempotency_key=key)).reply_id == first.reply_id
        await replied(client, "more", first.conversation_id)
        assert [said["text"] for said in await messages(client, first.conversation_id)] == ["hello"] * 2 + ["more"] * 2
        assert (await got(client, conversation_at("")[:-1]))["conversations"]
        async with client.stream(
            "POST", CHAT, json={"user_message": "/simulate stall_after=1\nhello there"}
        ) as response:
            await cancelled(client, response.headers["reply-id"])
            assert (await _rest(response)).reply.finish_reason == "cancelled"
        deleted = await client.request("DELETE", conversation_at(first.conversation_id))
        assert deleted.status == 204
        assert (await client.request("GET", "/api/ready")).status == 200


async def _rest(response: Response) -> Transcript:
    return Whole(200, {}, await response.read()).transcript()


async def test_an_instance_serves_on_while_a_newer_one_migrates() -> None:
    """A reply that runs meanwhile completes, and what its clients do afterwards works as before.

    So it does at an instance of the old version that starts afterwards, as when an update is undone.
    """
    url = fresh_database_url("postgresql")
    words = " ".join(f"word{n}" for n in range(40))
    async with service(url, save_every_seconds=0.02, words_per_day=1_000_000) as (client, _):
        await _use(client)
        running = {"user_message": f"/simulate pace_ms=30\n{words}"}
        async with client.stream("POST", CHAT, json=running) as response:
            await run_sync(url, _add)
            assert (await _rest(response)).reply.finish_reason == "stop"
        reply = await got(client, reply_at(response.headers["reply-id"]))
        assert (reply["state"], reply["text"]) == ("completed", words)
        await _use(client)
    async with service(url, save_every_seconds=0.02, words_per_day=1_000_000) as (client, _):
        await _use(client)
