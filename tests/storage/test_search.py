"""Search in titles and texts: one behaviour, whatever the database."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from app.chat.terms import MOST_BYTES, query_of, terms_of
from app.storage.address import database_url as parsed
from app.storage.database import create_engine, transactions_on
from app.storage.schema import conversations
from app.storage.searching import SearchIndex
from tests.support.addresses import CHAT, conversation_at
from tests.support.asgi import Client
from tests.support.databases import KINDS, fresh_database_url, run_sql, run_sync
from tests.support.keys import bearer, made_key
from tests.support.talk import Echo, cancelled, got, replied, service

_WRITES = "SELECT pg_sleep(1) FROM (SELECT id FROM conversations FOR UPDATE) AS held"
_IS_WRITING = """SELECT EXISTS (
    SELECT 1 FROM pg_locks WHERE relation = 'conversations'::regclass AND mode = 'RowShareLock' AND granted
)"""


async def _found(client: Client, words: str, more: str = "") -> list[str]:
    page = await got(client, f"/api/conversations?search={quote(words)}{more}")
    return [conversation["conversation_id"] for conversation in page["conversations"]]


async def test_what_was_said_is_found(database_url: str) -> None:
    """By the beginnings of all its words: in messages, replies and titles, the latest first; at once."""
    async with service(database_url, Echo()) as (client, _):
        cats = (await replied(client, "Tell me about CATS, please")).conversation_id
        dogs = (await replied(client, "Tell me about dogs")).conversation_id
        assert await _found(client, "tell about") == [dogs, cats]
        assert await _found(client, "tell cat") == [cats]
        assert await _found(client, "cat dog") == []
        assert await _found(client, "ats") == []
        await replied(client, "And dogs?", cats)
        assert await _found(client, "cat dog") == [cats]
        renamed = await client.request("PATCH", conversation_at(dogs), json={"title": "Größe und 今日はいい天気"})
        assert renamed.status == 200
        for words in ("groß", "GROSS", "grosse", "天気", "今日", "い", "Größe 天気"):
            assert await _found(client, words) == [dogs], words
        assert await _found(client, "天日") == []
        assert await _found(client, "!?") == []
        assert await _found(client, "' OR 1=1 -- \" * NEAR(a) NOT :x & | <->") == []
        pages = [await _found(client, "tell", f"&limit=1{more}") for more in ("",)]
        assert pages == [[cats]]
        page = await got(client, "/api/conversations?search=tell&limit=1")
        assert await _found(client, "tell", f"&limit=1&cursor={page['next_cursor']}") == [dogs]


async def test_old_branches_are_found_and_deleted_ones_are_not(database_url: str) -> None:
    """What was edited is kept; of what is deleted, nothing stays in the index."""
    async with service(database_url, Echo()) as (client, _):
        first = await replied(client, "apples")
        body = {"edits": first.reply_id, "user_message": "pears"}
        assert (await client.request("POST", CHAT, json=body)).status == 200
        assert await _found(client, "apples") == await _found(client, "pears") == [first.conversation_id]
        assert (await client.request("DELETE", conversation_at(first.conversation_id))).status == 204
        assert await _found(client, "apples") == []
    assert await run_sql(database_url, "SELECT count(*) FROM search_documents") == [(0,)]
    if database_url.startswith("sqlite"):
        query = "SELECT count(*) FROM search_index WHERE search_index MATCH 'apples'"
        assert await run_sql(database_url, query) == [(0,)]


async def test_a_reply_is_found_when_it_has_ended(database_url: str) -> None:
    """Its message is found before."""
    async with service(database_url) as (client, _):
        running = {"user_message": "/simulate stall_after=1\nalpha beta"}
        async with client.stream("POST", CHAT, json=running) as response:
            conversation_id = response.headers["conversation-id"]
            assert await _found(client, "beta") == [conversation_id]  # in the message
            await cancelled(client, response.headers["reply-id"])
        await replied(client, "/simulate repeat=2\ngamma", conversation_id)
        assert await _found(client, "gamma") == [conversation_id]


async def test_nobody_finds_what_is_anothers(database_url: str) -> None:
    """Whatever the words are, and also what nobody said."""
    signed = {name: {"authorization": bearer((await made_key(database_url, name))[0])} for name in ("one", "two")}
    async with service(database_url) as (client, _):
        for headers in signed.values():
            await client.request("POST", "/api/replies", json={"user_message": "hello"}, headers=headers)
        found = [
            (await client.request("GET", "/api/conversations?search=hello", headers=headers)).json()["conversations"]
            for headers in signed.values()
        ]
        assert [len(each) for each in found] == [1, 1]
        assert found[0][0]["conversation_id"] != found[1][0]["conversation_id"]


async def test_a_search_waits_for_who_writes() -> None:
    """What has been said before it is found, even if the conversation is being written or indexed at that moment."""
    url = fresh_database_url("postgresql")
    async with service(url, Echo()) as (client, _):
        said = await replied(client, "apples")
        await run_sql(url, "DELETE FROM search_documents")
        await run_sql(url, "UPDATE conversations SET searched_ms = -1")
        writer = asyncio.create_task(run_sql(url, _WRITES))
        while await run_sql(url, _IS_WRITING) == [(False,)]:
            assert not writer.done()
        assert await _found(client, "apples") == [said.conversation_id]
        await writer


async def test_the_index_of_all_leaves_time_to_others(database_url: str) -> None:
    """Who looks for something waits for what they have said, and for nothing else."""

    def say(connection: Connection) -> None:
        known = {"title": "hello", "created_ms": 1, "updated_ms": 1, "principal": "somebody"}
        connection.execute(insert(conversations), [{"id": f"{n:032x}", **known} for n in range(50)])

    engine = create_engine(parsed(database_url), 30)
    transactions = transactions_on(engine, 30)
    index = SearchIndex(transactions)
    seconds = []
    for busy in (1.0, 0.02):
        await run_sync(database_url, say)
        began = time.perf_counter()
        await index.catch_up(busy=busy)
        seconds.append(time.perf_counter() - began)
        assert await run_sql(database_url, "SELECT count(*) FROM search_documents") == [(50,)]
        await run_sql(database_url, "DELETE FROM conversations")
    await transactions.close()
    await engine.dispose()
    assert seconds[1] > 5 * seconds[0]


async def test_what_was_said_before_the_update_is_found(database_url: str) -> None:
    """The index is made of it without a request, and an old version's messages are added to it."""
    async with service(database_url, Echo()) as (client, _):
        first = await replied(client, "one")
    await run_sql(database_url, "DELETE FROM search_documents")
    await run_sql(database_url, "UPDATE conversations SET searched_ms = -1")
    async with service(database_url, Echo()) as (client, _):
        await replied(client, "two", first.conversation_id)
        await run_sql(database_url, "UPDATE messages SET text = 'three' WHERE text = 'two' AND role = 'user'")
        await run_sql(database_url, "UPDATE conversations SET updated_ms = updated_ms + 1")
        assert await _found(client, "one three") == [first.conversation_id]


_SPOKEN = st.text(st.sampled_from("aAbéÉeßsßİiı1²_-'\"* 今日はกาก्षि🏳️‍🌈ﬁ@"), max_size=12)


@pytest.fixture(scope="module")
async def both() -> AsyncGenerator[list[Client], None]:
    """A service on each kind of database."""
    async with AsyncExitStack() as stack:
        yield [(await stack.enter_async_context(service(fresh_database_url(kind), Echo())))[0] for kind in KINDS]


_numbers = itertools.count()


@settings(settings.get_profile("laws"), max_examples=15)
@given(st.lists(_SPOKEN, min_size=1, max_size=4), st.lists(_SPOKEN, min_size=1, max_size=4))
async def test_both_find_the_same(both: list[Client], said: list[str], looked_for: list[str]) -> None:
    """What the terms say: no more, and no less."""
    mark = f"mark{next(_numbers)}x"
    texts = [f"{mark} {text}" for text in said]
    ids: list[list[str]] = [[(await replied(client, text)).conversation_id for text in texts] for client in both]
    for words in looked_for:
        wanted = query_of(words)
        expected = [
            index
            for index, text in reversed(list(enumerate(texts)))
            if all(any(term.startswith(word) for term in terms_of([text]).split()) for word in wanted)
        ]
        for client, known in zip(both, ids, strict=True):
            found = await _found(client, f"{words} {mark}"[:200])
            assert sorted(found) == sorted(known[index] for index in expected), (words, wanted)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Hello, hello world!", "hello world"),
        ("don't snake_case a-b", "don t snake case a b"),
        ("Größe GRÖSSE", "grosse"),
        ("ﬁne ² Ⅳ", "fine 2 iv"),
        ("今日は", "今日 日は は"),
        ("GPT今日5", "gpt 今日 日 5"),
        ("x" * 100, "x" * 64),
        ("!?", ""),
    ],
)
def test_terms_are_words_without_case_and_accents(text: str, terms: str) -> None:
    """In scripts without spaces, pairs of characters."""
    assert terms_of([text]) == terms


def test_terms_are_bounded() -> None:
    """However much was said."""
    assert len(terms_of(f"word{n} " * 2 for n in range(200_000)).encode()) <= MOST_BYTES


@given(st.text(max_size=40))
def test_a_text_is_found_by_itself(text: Any) -> None:  # noqa: ANN401 - any text
    """And by each beginning of it."""
    terms = terms_of([text]).split()
    for end in range(len(text) + 1):
        for word in query_of(text[:end]):
            assert any(term.startswith(word) for term in terms), (text[:end], word, terms)
