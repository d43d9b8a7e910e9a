"""Whatever the service asks of its database is found by an index: ten thousand conversations slow nothing down.

But for the list of all keys, which is read as a whole: there are as many as operators have made.
"""

import itertools
import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from sqlalchemy import Connection, Engine, String, bindparam, cast, event, insert, update
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncEngine

from app.access.keys import new_key
from app.chat.access import Principal
from app.chat.branches import ROOT
from app.chat.requests import Beside, Idempotency, Where
from app.chat.stored import Feedback, MessagesPage, ReplyRecord
from app.storage.address import database_url as parsed
from app.storage.database import Database, create_engine, transactions_on
from app.storage.instances import enter, leave, others, seal
from app.storage.keys import SqlKeyStore
from app.storage.owner import Owner, seal_all
from app.storage.records import record_writer
from app.storage.schema import api_keys, conversations, feedback, idempotency_keys, messages, search_documents
from app.storage.searching import owner_term
from app.storage.sql import SqlStore
from app.storage.writer import GroupWriter
from tests.support.databases import KINDS, fresh_database_url

_MANY = 10_000
_UNSEARCHED = 200
"""The first ones are not in the search index yet."""
_FAILED = 10
_BRANCHED = 12
_WAYS: tuple[Literal["edits", "regenerates", "retries"], ...] = ("edits", "regenerates", "retries")
_PATIENCE_SECONDS = 60.0
_SOMEBODY, _SOMEBODY_ELSE = Principal("key:somebody"), Principal("key:somebody else")


def _id(n: int) -> str:
    return f"{n:032x}"


@dataclass(slots=True)
class _Statements:
    """What was asked meanwhile, each with the parameters that it came with first."""

    seen: dict[str, Any] = field(default_factory=dict)

    def see(self, _: Connection, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:  # noqa: ANN401, FBT001
        """As SQLAlchemy's event."""
        is_ours = re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", statement)
        # Of instances and cancellations there are a few, and all of them are read.
        if is_ours and not re.search("pg_catalog|pg_locks|instances|DELETE FROM (cancellations|readings)", statement):
            self.seen.setdefault(statement, parameters[0] if many else parameters)


@contextmanager
def _statements() -> Iterator[_Statements]:
    statements = _Statements()
    event.listen(Engine, "before_cursor_execute", statements.see)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", statements.see)


def _owner(n: int) -> str:
    return owner_term((_SOMEBODY_ELSE if n % 2 else _SOMEBODY).name)


async def _fill(engine: AsyncEngine) -> None:
    numbers = range(_MANY)
    async with engine.begin() as connection:
        rows: list[dict[str, object]] = [
            {
                "id": _id(n),
                "title": f"title {n}",
                "created_ms": n,
                "updated_ms": n,
                "searched_ms": n if n >= _UNSEARCHED else -1,
                "principal": principal.name,
            }
            for n, principal in zip(numbers, itertools.cycle((_SOMEBODY, _SOMEBODY_ELSE)), strict=False)
        ]
        await connection.execute(insert(conversations), rows)
        rows = [{"conversation_id": _id(n), "terms": f"{_owner(n)} title {n} hello"} for n in numbers[_UNSEARCHED:]]
        searched = insert(search_documents)
        if engine.dialect.name == "postgresql":
            searched = searched.values(terms=cast(bindparam("terms", type_=String), TSVECTOR))
        await connection.execute(searched, rows)
        user = {"position": 0, "role": "user", "text": "hello"}
        await connection.execute(
            insert(messages), [user | {"conversation_id": _id(n), "created_ms": n} for n in numbers]
        )
        reply = {"position": 1, "role": "assistant", "text": "hello", "state": "completed", "finish_reason": "stop"}
        rows = [
            reply | {"conversation_id": _id(n), "created_ms": n, "reply_id": _id(n), "owner": _id(1)} for n in numbers
        ]
        await connection.execute(insert(messages), rows)
        rows = [
            {"reply_id": _id(n), "conversation_id": _id(n), "rating": "up", "created_ms": n}
            for n in numbers
            if n not in {4, _FAILED}
        ]
        await connection.execute(insert(feedback), rows)
        rows = [{"key": f"key {n}", "fingerprint": "f", "reply_id": _id(n), "created_ms": n} for n in numbers]
        await connection.execute(insert(idempotency_keys), rows)
        rows = [
            {"key_id": f"{n:016x}", "name": "somebody", "secret_hash": _id(n), "created_ms": n}
            for n in range(_MANY // 10)
        ]
        await connection.execute(insert(api_keys), rows)
        failed = update(messages).where(messages.c.reply_id == _id(_FAILED)).values(state="failed")
        await connection.execute(failed)
        if engine.dialect.name == "postgresql":  # which does so by itself sooner or later; SQLite does not
            await connection.exec_driver_sql("ANALYZE")


@pytest.fixture(params=KINDS)
async def engine(request: pytest.FixtureRequest) -> AsyncGenerator[AsyncEngine, None]:
    """A database with many conversations in it, of which the planner knows."""
    url = parsed(fresh_database_url(request.param))
    async with Database(url, _PATIENCE_SECONDS):
        pass
    engine = create_engine(url, _PATIENCE_SECONDS)
    try:
        await _fill(engine)
        yield engine
    finally:
        await engine.dispose()


async def _ask_everything(engine: AsyncEngine) -> None:
    """All that the service ever asks of its database, but for what it asks when it starts."""
    transactions = transactions_on(engine, _PATIENCE_SECONDS)
    writer = GroupWriter(transactions)
    store = SqlStore(transactions, writer)
    is_postgresql = engine.dialect.name == "postgresql"
    owner = Owner()
    if is_postgresql:
        await transactions.run(lambda connection: enter(connection, owner.name, 1))
    async with writer.writing(record_writer(owner, is_fenced=is_postgresql)):
        first = ReplyRecord(_id(_MANY), _id(_MANY), 0, "hello", _MANY, _SOMEBODY, Idempotency("key", "f"))
        later = ReplyRecord(_id(_MANY + 1), _id(6), 2, "hello", _MANY, _SOMEBODY)
        again = ReplyRecord(_id(_MANY + 2), _id(_FAILED), 0, "hello", _MANY, _SOMEBODY, replaces=_id(_FAILED))
        edited = ReplyRecord(_id(_MANY + 3), _id(_BRANCHED), 2, "hi", _MANY, _SOMEBODY, state="completed", follows=ROOT)
        anew = ReplyRecord(_id(_MANY + 4), _id(_BRANCHED), 4, "hi", _MANY, _SOMEBODY, state="completed", answers=2)
        for record in (first, later, first, again, edited, anew):
            await writer.save(record)
    await store.check()
    for limit in (100, 0):
        await store.place(Where(_SOMEBODY, _id(4)), limit, 1000)
        for way in _WAYS:
            await store.place(Where(_SOMEBODY, beside=Beside(_id(_BRANCHED), way)), limit, 1000)
    assert await store.reply(_id(4), _SOMEBODY)
    await store.reply_for("key 4")
    assert await store.only_for("key 4444")
    assert await store.named(_id(4), _SOMEBODY)
    await _ask_for_lists(store)
    await store.search_index.catch_up()
    await store.give_feedback(_id(4), _SOMEBODY, Feedback("up", None), _MANY)
    await store.everything(_id(_BRANCHED), _SOMEBODY, 20, 0)
    assert await store.rated("", 20)
    await store.give_feedback(_id(4), _SOMEBODY, None, _MANY)
    for principal in (_SOMEBODY, None):
        for newest_first in (False, True):
            _, page = await store.messages(_id(4), principal, MessagesPage(1, None, newest_first))
            _, page = await store.messages(_id(4), principal, MessagesPage(1, page.next_cursor, newest_first))
            assert page.items
    for branch in (None, _id(_BRANCHED)):
        assert (await store.messages(_id(_BRANCHED), _SOMEBODY, MessagesPage(20, branch=branch)))[1].items
    await store.update(_id(_BRANCHED), _SOMEBODY, title="title", branch=_id(_BRANCHED))
    await store.delete(_id(8), _SOMEBODY)
    assert await store.purge(2) == 2
    await store.forget_keys(5)
    keys = SqlKeyStore(transactions)
    _, key = new_key("somebody", None)
    await keys.add_key(key)
    assert await keys.revoke_key(key.key_id, _MANY)
    if is_postgresql:
        await transactions.run(lambda connection: others(connection, _id(3), 1))
        await transactions.run(lambda connection: leave(connection, owner.name))
        assert len(await transactions.run(lambda connection: seal(connection, [(owner.name, 0)]))) == 3
    else:
        assert await transactions.run(seal_all) == 3
    await transactions.close()


async def _ask_for_lists(store: SqlStore) -> None:
    """And for what a search finds in them."""
    conversation_page = await store.conversations(_SOMEBODY, 20, None)
    assert (await store.conversations(_SOMEBODY, 20, conversation_page.next_cursor)).items
    for cursor in (None, conversation_page.next_cursor):
        assert (await store.conversations(_SOMEBODY, 20, cursor, "title 44")).items
        assert (await store.conversations(_SOMEBODY, 20, cursor, "title")).next_cursor
        assert (await store.conversations(_SOMEBODY, 20, cursor, "44")).items
        assert (await store.conversations(_SOMEBODY, 20, cursor, "1")).next_cursor  # not in the newest, but in many


async def test_every_statement_uses_an_index(engine: AsyncEngine) -> None:
    """None reads a whole table, and none sorts: as the database itself explains each of them."""
    with _statements() as statements:
        await _ask_everything(engine)
    assert len(statements.seen) > 15
    async with engine.connect() as connection:
        for statement, parameters in statements.seen.items():
            is_search = bool(re.search(r"search_index|WITH found|conversations\.id IN", statement))
            if engine.dialect.name == "sqlite":
                plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                steps = [row.detail for row in plan]
                expected = _SQLITE_SEARCH if is_search else _SQLITE_STEP
                assert all(expected.fullmatch(step) for step in steps), (statement, steps)
                # Of a search by the index, the other conversations of the same principal are not read.
                assert not (is_search and "ix_conversations_principal" in str(steps)), (statement, steps)
            else:
                plan = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", tuple(parameters))
                nodes = set(_nodes(json.loads(plan.scalar_one())[0]["Plan"]))
                more = _POSTGRES_SEARCH if is_search else set()
                if "WITH found" in statement and " JOIN " in statement:
                    more = more | _POSTGRES_MANY
                assert nodes <= _POSTGRES_NODES | more, (statement, nodes)


_SQLITE_STEP = re.compile(
    r"SEARCH \w+ USING ((INTEGER )?PRIMARY KEY|(COVERING )?INDEX \w+) \(.+\)( LEFT-JOIN)?"
    r"|SCAN CONSTANT ROW"
    r"|(LIST|SCALAR) SUBQUERY \d+"
    r"|SCAN messages USING (COVERING )?INDEX ix_messages_running"  # all that runs, and nothing else
)
_SQLITE_SEARCH = re.compile(_SQLITE_STEP.pattern + r"|SCAN search_index VIRTUAL TABLE .+|USE TEMP B-TREE FOR ORDER BY")
"""What is found by the index is sorted, and nothing else."""
_POSTGRES_SEARCH = {"Bitmap Heap Scan", "Bitmap Index Scan", "CTE Scan", "Sort"}
_POSTGRES_MANY = {"Hash", "Hash Join", "Seq Scan"}
"""Where a large part of all conversations is found, the planner may rather read all of them."""
_POSTGRES_NODES = {
    "Index Scan",
    "Index Only Scan",
    "Limit",
    "LockRows",
    "Materialize",
    "ModifyTable",
    "Nested Loop",
    "Result",
    "Subquery Scan",
    "Unique",
}


_SMALL = {"cancellations", "feedback", "instances", "readings"}
"""Tables of a few rows, which PostgreSQL reads whole."""


def _nodes(plan: dict[str, Any]) -> Iterator[str]:
    if plan.get("Relation Name") not in _SMALL:
        yield plan["Node Type"]
    for part in plan.get("Plans", []):
        yield from _nodes(part)


async def test_the_explanation_would_tell(engine: AsyncEngine) -> None:
    """Of this test's own tools: a query without an index, and one that sorts."""
    async with engine.connect() as connection:
        for statement in (
            "SELECT * FROM messages WHERE text = 'x'",
            "SELECT * FROM messages WHERE conversation_id < 'x' ORDER BY created_ms",
        ):
            if engine.dialect.name == "sqlite":
                plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
                assert not all(_SQLITE_STEP.fullmatch(row.detail) for row in plan)
            else:
                plan = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}")
                assert not set(_nodes(json.loads(plan.scalar_one())[0]["Plan"])) <= _POSTGRES_NODES
