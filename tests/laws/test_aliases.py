"""A client's own name for a conversation is as good as its id, wherever an id goes, and each principal's own."""

import asyncio

import anyio
import pytest

from app.main import create_app
from tests.support.addresses import CHAT, conversation_at
from tests.support.asgi import Client
from tests.support.bots import GatedBot
from tests.support.databases import KINDS, Kind, fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.settings import Settings
from tests.support.talk import Echo, ask, got, messages, problem, replied, service

NAMES = ["x", "trip-to-lisbon", "__LOCALID_a.b:c@d~e", "7f9c24e8-3b12-4a5e-9d1c-2f6f1b0a3c4d", "A" * 128, "f" * 31]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_name_begins_continues_and_names_a_conversation(kind: Kind) -> None:
    """In messages and in paths; and the conversation says it."""
    bot = Echo()
    async with service(fresh_database_url(kind), bot) as (client, _):
        for name in NAMES:
            first = await replied(client, "one", name)
            second = await replied(client, "two", name)
            third = await replied(client, "three", first.conversation_id)
            assert first.conversation_id == second.conversation_id == third.conversation_id
            assert bot.seen[-1][:2] == [("user", "one"), ("assistant", "one")]
            conversation = await got(client, conversation_at(name))
            assert (conversation["conversation_id"], conversation["alias"]) == (first.conversation_id, name)
            assert [said["text"] for said in conversation["messages"]] == ["one"] * 2 + ["two"] * 2 + ["three"] * 2
            assert (await got(client, f"{conversation_at(name)}/export"))["alias"] == name
            renamed = await client.request("PATCH", conversation_at(name), json={"title": "Other"})
            assert (renamed.json()["title"], renamed.json()["alias"]) == ("Other", name)
        listed = (await got(client, "/api/conversations"))["conversations"]
        assert [conversation["alias"] for conversation in listed] == NAMES[::-1]
        plain = await replied(client, "hello")
        assert "alias" not in await got(client, conversation_at(plain.conversation_id))


async def test_a_deleted_conversations_name_is_free_again() -> None:
    """The new conversation has nothing of the old one."""
    bot = Echo()
    async with service(fresh_database_url(), bot) as (client, _):
        await replied(client, "old", "name", idempotency_key="key")
        assert (await client.request("DELETE", conversation_at("name"))).status == 204
        assert problem(await client.request("GET", conversation_at("name"))) == (404, "conversation-not-found")
        await replied(client, "new", "name", idempotency_key="key")
        assert [said["text"] for said in await messages(client, "name")] == ["new", "new"]
        assert bot.seen[-1] == [("user", "new")]


async def test_a_name_in_the_form_of_an_id_begins_nothing() -> None:
    """It is an id that nothing has."""
    async with service(fresh_database_url()) as (client, _):
        assert problem(await ask(client, "hello", "a" * 32)) == (404, "conversation-not-found")


async def test_a_repeat_gets_the_same_reply() -> None:
    """Whether it sends the name or, by now, the id."""
    async with service(fresh_database_url()) as (client, _):
        first = await replied(client, "hello", "name", idempotency_key="key")
        for name in ("name", first.conversation_id):
            assert await replied(client, "hello", name, idempotency_key="key") == first
        assert problem(await ask(client, "hello", "other", idempotency_key="key")) == (409, "idempotency-key-reused")


async def test_each_principal_has_names_of_its_own() -> None:
    """The same name is another conversation, and tells nothing of the first one."""
    url = fresh_database_url()
    keys = [(await made_key(url, name))[0] for name in ("one", "two")]
    async with service(url) as (client, _):
        one, two = [{"authorization": bearer(key)} for key in keys]
        mine = await replied(client, "mine", "name", **one)
        assert problem(await client.request("GET", conversation_at("name"), headers=two))[0] == 404
        assert problem(await client.request("DELETE", conversation_at("name"), headers=two))[0] == 404
        theirs = await replied(client, "theirs", "name", **two)
        assert theirs.conversation_id != mine.conversation_id
        assert problem(await ask(client, "hello", mine.conversation_id, **two))[0] == 404


@pytest.mark.parametrize("kind", KINDS)
async def test_first_messages_at_the_same_time_meet_in_one_conversation(kind: Kind) -> None:
    """At one instance, or at two: one is answered, and the other finds the conversation busy."""
    url, bot = fresh_database_url(kind), GatedBot()
    own = Settings(database_url=url, max_reply_characters=12)
    async with Client(create_app(own, bot)) as first:
        if kind == "sqlite":
            await _meet(bot, first, first)
        else:
            async with Client(create_app(own, bot)) as second:
                await _meet(bot, first, second)


async def _meet(bot: GatedBot, *clients: Client) -> None:
    body = {"user_message": "hello", "conversation_id": "name"}
    answers = [asyncio.ensure_future(client.request("POST", CHAT, json=body)) for client in clients]
    with anyio.fail_after(60):
        done, others = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
    (busy,) = done
    assert problem(busy.result()) == (409, "conversation-busy")
    (answer,) = others
    bot.let_through(1000)
    assert (await answer).transcript().words
    assert len(await messages(clients[0], "name")) == 2
