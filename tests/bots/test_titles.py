"""With `CHAT_BOT_TITLES`, the bot names a conversation after its first reply; nobody waits for that, or loses by it."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import anyio
import pytest

from app.chat.errors import BotFailed
from app.chat.model import Conversation, Finish, Usage
from tests.support.addresses import conversation_at
from tests.support.asgi import Client
from tests.support.databases import fresh_database_url
from tests.support.talk import ask, got, problem, replied, service

_PATIENCE_SECONDS = 60


@dataclass(slots=True)
class Titling:
    """A bot that says `spoken`, and of its own conversations `named`, once that may be."""

    named: str | Exception = "Small talk"
    spoken: str = "Hi there!"
    asked: list[Conversation] = field(default_factory=list)
    """For a title."""
    may_name: anyio.Event = field(default_factory=anyio.Event)
    given_up: anyio.Event = field(default_factory=anyio.Event)

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """Tell the requests apart by their last message."""
        if not conversation.user_message.startswith("Write a title"):
            yield self.spoken
            return
        self.asked.append(conversation)
        try:
            await self.may_name.wait()
        finally:
            self.given_up.set()
        if isinstance(self.named, Exception):
            raise self.named
        yield self.named[:3]
        yield self.named[3:]
        yield Finish("stop")


async def _title(client: Client, conversation_id: str) -> str:
    title: str = (await got(client, conversation_at(conversation_id)))["title"]
    return title


async def _until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(_PATIENCE_SECONDS):
        while not holds():
            await anyio.sleep(0.005)


async def _named(client: Client, conversation_id: str, title: str) -> None:
    with anyio.fail_after(_PATIENCE_SECONDS):
        while await _title(client, conversation_id) != title:
            await anyio.sleep(0.005)


async def test_the_bot_names_a_conversation_after_its_first_reply(database_url: str) -> None:
    """It is asked once, with the message and the reply; the name is found, and the order of conversations stays."""
    bot = Titling()
    async with service(database_url, bot, bot_titles=True) as (client, _):
        assert (await got(client, "/api/service"))["titles"] == "bot"
        first = await replied(client, "hello")
        second = await replied(client, "and hello again")
        assert await _title(client, first.conversation_id) == "hello"  # nobody waits
        bot.may_name.set()
        for reply in (first, second):
            await _named(client, reply.conversation_id, "Small talk")
        assert [message.text for message in bot.asked[0].messages[:-1]] == ["hello", "Hi there!"]
        await replied(client, "more", first.conversation_id)
        assert len(bot.asked) == 2
        found = (await got(client, "/api/conversations?search=talk"))["conversations"]
        assert [each["conversation_id"] for each in found] == [first.conversation_id, second.conversation_id]
        assert not (await got(client, "/api/conversations?search=again+hello+small"))["conversations"][1:]


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ('"Small talk."\n', "Small talk"),
        ("\n\n  «Plaudern» ", "Plaudern"),
        ("Title: **A trip to Lisbon**\n\nI hope that helps!", "A trip to Lisbon"),
        ("# What `x` is", "What x is"),
        ("<think>Hm.\nA title?</think>\n\nSmall talk", "Small talk"),
        ("a" * 200, "a" * 79 + "…"),
        ("رحلة إلى لشبونة", "رحلة إلى لشبونة"),
    ],
)
async def test_a_title_is_one_line_without_what_models_put_around_it(said: str, title: str) -> None:
    """Whatever they were asked for."""
    bot = Titling(said)
    bot.may_name.set()
    async with service(fresh_database_url(), bot, bot_titles=True) as (client, _):
        await _named(client, (await replied(client, "hello")).conversation_id, title)


@pytest.mark.parametrize(
    "said", ["", " \n", '""', "<think>it does not end", "a " * 3_000, BotFailed(), RuntimeError("a defect")]
)
async def test_without_a_title_the_message_stays(said: str | Exception) -> None:
    """And the next conversation gets its name."""
    bot = Titling(said)
    bot.may_name.set()
    async with service(fresh_database_url(), bot, bot_titles=True) as (client, _):
        reply = await replied(client, "hello")
        await _until(bot.given_up.is_set)
        bot.named = "Small talk"
        await _named(client, (await replied(client, "hello")).conversation_id, "Small talk")
        assert await _title(client, reply.conversation_id) == "hello"


async def test_what_people_have_renamed_or_deleted_meanwhile_stays_as_it_is(database_url: str) -> None:
    """The bot may take its time."""
    bot = Titling()
    async with service(database_url, bot, bot_titles=True) as (client, _):
        renamed, deleted, other = [await replied(client, text) for text in ("hello", "hello", "hello")]
        address = conversation_at(renamed.conversation_id)
        assert (await client.request("PATCH", address, json={"title": "Mine"})).status == 200
        assert (await client.request("DELETE", conversation_at(deleted.conversation_id))).status == 204
        bot.may_name.set()
        await _named(client, other.conversation_id, "Small talk")
        await _until(lambda: len(bot.asked) == 3)
        assert await _title(client, renamed.conversation_id) == "Mine"
        gone = await client.request("GET", conversation_at(deleted.conversation_id))
        assert problem(gone) == (404, "conversation-not-found")


async def test_only_a_complete_first_reply_is_named_and_only_if_that_is_wanted() -> None:
    """Not one without a word, nor the answers to OpenAI's clients, which are not stored."""
    bot = Titling(spoken="")
    bot.may_name.set()
    async with service(fresh_database_url(), bot, bot_titles=True) as (client, _):
        await replied(client, "hello")
        body = {"messages": [{"role": "user", "content": "hello"}]}
        bot.spoken = "Hi there!"
        assert (await client.request("POST", "/v1/chat/completions", json=body)).status == 200
        await _named(client, (await replied(client, "hello")).conversation_id, "Small talk")
        assert len(bot.asked) == 1
    async with service(fresh_database_url(), bot) as (client, _):
        assert (await got(client, "/api/service"))["titles"] == "message"
        reply = await replied(client, "hello")
        assert (await ask(client, "hello", reply.conversation_id)).status == 200
    assert len(bot.asked) == 1


async def test_a_service_that_ends_gives_up_what_it_has_not_named() -> None:
    """It neither waits for the bot nor leaves it running."""
    bot = Titling()
    async with service(fresh_database_url(), bot, bot_titles=True) as (client, _):
        await replied(client, "hello")
        await _until(lambda: len(bot.asked) == 1)
    assert bot.given_up.is_set()
