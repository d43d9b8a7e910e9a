"""The end of a service, at a bad moment for the store: nothing slips past it, and nothing is lost by it."""

import asyncio

import anyio
import pytest
from fastapi import FastAPI

from app.chat.errors import StorageUnavailable
from app.chat.replies import Replies
from app.chat.requests import Place, Where
from app.chat.stored import ReplyRecord
from app.storage.sql import SqlStore
from tests.support.addresses import CHAT
from tests.support.databases import fresh_database_url
from tests.support.talk import messages, replied, service


class _SlowPlaces:
    """From now on, what is said in a conversation is read only when `go` is set; `asked` tells that it is wanted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.go = anyio.Event(), anyio.Event()
        read = SqlStore.place

        async def slowly(store: SqlStore, where: Where, limit: int, characters: int) -> Place:
            self.asked.set()
            await self.go.wait()
            return await read(store, where, limit, characters)

        monkeypatch.setattr(SqlStore, "place", slowly)


def _replies(app: FastAPI) -> Replies:
    replies: Replies = app.state.replies
    return replies


async def test_no_reply_begins_after_the_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would wait for it: its client is told to ask elsewhere."""
    async with service(fresh_database_url()) as (client, app):
        first = await replied(client, "hello")
        slow = _SlowPlaces(monkeypatch)
        body = {"user_message": "more", "conversation_id": first.conversation_id}
        async with client.open("POST", CHAT, json=body) as response:
            await slow.asked.wait()
            await _replies(app).drain(60)
            slow.go.set()
            assert (await response.head()).status == 503
            assert b"urn:problem:draining" in await response.read()


async def test_there_are_no_more_streams_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests were waiting for the database when there was still room."""
    async with service(fresh_database_url(), max_open_streams=2) as (client, _):
        first = [await replied(client, "hello") for _ in range(3)]
        slow = _SlowPlaces(monkeypatch)
        statuses: list[int] = []
        async with anyio.create_task_group() as group:

            async def follow_up(conversation_id: str) -> None:
                body = {"user_message": "/simulate stall_after=1\na b", "conversation_id": conversation_id}
                async with client.stream("POST", CHAT, json=body) as response:
                    statuses.append(response.status)
                    if len(statuses) == len(first):
                        group.cancel_scope.cancel()
                    await anyio.sleep_forever()

            for reply in first:
                group.start_soon(follow_up, reply.conversation_id)
            await slow.asked.wait()
            await anyio.sleep(0.1)
            slow.go.set()
        assert sorted(statuses) == [200, 200, 503]


async def test_an_end_that_the_store_did_not_take_is_stored_at_the_last_moment(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers have seen all of it, and the next start would take it for interrupted."""
    save = SqlStore.save
    refused: list[str] = []

    def once(store: SqlStore, record: ReplyRecord) -> "asyncio.Future[None]":
        if record.state == "running" or refused:
            return save(store, record)
        refused.append(record.state)
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        failed.set_exception(StorageUnavailable())
        return failed

    async with service(database_url, save_every_seconds=3600) as (client, _):
        first = await replied(client, "hello")
        monkeypatch.setattr(SqlStore, "save", once)
        body = {"user_message": "/simulate pace_ms=100\none two", "conversation_id": first.conversation_id}
        async with client.stream("POST", CHAT, json=body) as response:
            assert b"data: one" in await response.read()
    assert refused == ["completed"]
    async with service(database_url) as (client, _):
        said = await messages(client, first.conversation_id)
    assert (said[-1]["text"], said[-1]["state"]) == ("one two", "completed")
