"""Branches: edited messages and regenerated replies, on both kinds of database. The law is in tests/laws."""

import asyncio
from typing import Any

import pytest

from app.chat.errors import BotFailed
from tests.support.addresses import BOTH, CHAT, WHOLE, conversation_at
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot, ScriptedBot
from tests.support.databases import fresh_database_url, run_sql
from tests.support.talk import Echo, ask, cancelled, got, messages, problem, replied, service


async def _beside(client: Client, path: str = WHOLE, key: str = "", **body: str) -> Whole:
    headers = {"idempotency-key": key} if key else {}
    return await client.request("POST", path, json=body, headers=headers)


async def _regenerated(client: Client, reply_id: str, key: str = "") -> str:
    answer = await _beside(client, key=key, regenerates=reply_id)
    assert answer.status == 200, answer.content
    return str(answer.json()["reply_id"])


async def _edited(client: Client, reply_id: str, text: str, key: str = "") -> str:
    answer = await _beside(client, key=key, edits=reply_id, user_message=text)
    assert answer.status == 200, answer.content
    return str(answer.json()["reply_id"])


async def _chosen(client: Client, conversation_id: str, reply_id: str) -> Whole:
    return await client.request("PATCH", conversation_at(conversation_id), json={"branch": reply_id})


def _texts(said: list[dict[str, Any]]) -> list[str]:
    return [message["text"] for message in said]


@pytest.mark.parametrize("path", BOTH)
async def test_a_message_is_edited_without_a_copy(path: str, database_url: str) -> None:
    """The bot sees the new version only, and readers see which versions there are; also of the first message."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        first = await replied(client, "one")
        second = await replied(client, "two", first.conversation_id)
        await replied(client, "three", first.conversation_id)
        edited = await _beside(client, path, edits=second.reply_id, user_message="2")
        assert bot.seen[-1] == [("user", "one"), ("assistant", "one"), ("user", "2")]
        said = await messages(client, first.conversation_id)
        assert _texts(said) == ["one", "one", "2", "2"]
        ids = [second.reply_id, edited.headers["reply-id"]]
        assert [message.get("branches") for message in said] == [None, None, {"index": 1, "reply_ids": ids}, None]
        root = await _edited(client, first.reply_id, "1")
        assert bot.seen[-1] == [("user", "1")]
        assert [m.get("branches") for m in await messages(client, first.conversation_id)] == [
            {"index": 1, "reply_ids": [first.reply_id, root]},
            None,
        ]
        page = await got(client, "/api/conversations")
        assert [each["title"] for each in page["conversations"]] == ["one"]


@pytest.mark.parametrize("path", BOTH)
async def test_a_reply_is_regenerated_without_a_copy(path: str, database_url: str) -> None:
    """The bot gets the message once, and what came before it; the message is stored once."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        first = await replied(client, "one")
        second = await replied(client, "two", first.conversation_id)
        await replied(client, "three", first.conversation_id)
        again = await _beside(client, path, regenerates=second.reply_id)
        assert bot.seen[-1] == [("user", "one"), ("assistant", "one"), ("user", "two")]
        third = await _regenerated(client, again.headers["reply-id"])
        assert bot.seen[-1] == bot.seen[-2]
        said = await messages(client, first.conversation_id)
        assert _texts(said) == ["one", "one", "two", "two"]
        ids = [second.reply_id, again.headers["reply-id"], third]
        assert said[3]["branches"] == {"index": 2, "reply_ids": ids}
        assert "branches" not in said[2]
        await replied(client, "four", first.conversation_id)
        assert bot.seen[-1] == [*bot.seen[-2], ("assistant", "two"), ("user", "four")]
        assert len((await got(client, "/api/conversations"))["conversations"]) == 1


async def test_the_chosen_branch_is_shown_and_continued(database_url: str) -> None:
    """It is remembered, also by the next process; the newest message of its end is chosen with it."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        first = await replied(client, "one")
        second = await replied(client, "two", first.conversation_id)
        third = await replied(client, "three", first.conversation_id)
        edited = await _edited(client, second.reply_id, "2")
        before = await got(client, conversation_at(first.conversation_id))
        answer = await _chosen(client, first.conversation_id, second.reply_id)
        assert answer.status == 200
        assert answer.json() == {name: before[name] for name in answer.json()}
        other = await got(client, f"{conversation_at(first.conversation_id)}?branch={edited}")
        assert _texts(other["messages"]) == ["one", "one", "2", "2"]
    async with service(database_url, bot) as (client, _):
        assert _texts(await messages(client, first.conversation_id)) == ["one", "one", "two", "two", "three", "three"]
        more = await replied(client, "four", first.conversation_id)
        assert [text for _, text in bot.seen[-1]] == ["one", "one", "two", "two", "three", "three", "four"]
        await _chosen(client, first.conversation_id, first.reply_id)
        assert _texts(await messages(client, first.conversation_id))[-1] == "four"
        last = (await messages(client, first.conversation_id))[-1]
        assert (last["reply_id"], more.reply_id != third.reply_id) == (more.reply_id, True)


async def test_a_branch_is_of_its_own_conversation(database_url: str) -> None:
    """A reply of another one is as nothing: to choose, to show, to edit and to regenerate."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        mine, other = await replied(client, "mine"), await replied(client, "other")
        path = conversation_at(mine.conversation_id)
        assert problem(await _chosen(client, mine.conversation_id, other.reply_id)) == (404, "reply-not-found")
        shown = await client.request("GET", f"{path}?branch={other.reply_id}")
        assert problem(shown) == (404, "reply-not-found")
        for body in ({"regenerates": other.reply_id}, {"edits": other.reply_id, "user_message": "x"}):
            answer = await _beside(client, conversation_id=mine.conversation_id, **body)
            assert problem(answer) == (404, "reply-not-found")
        assert len(bot.seen) == 2
        assert len(await messages(client, other.conversation_id)) == 2


async def test_a_repeated_request_begins_one_branch(database_url: str) -> None:
    """Whether or not it names the conversation; the same key for another branch is refused."""
    bot = Echo()
    async with service(database_url, bot) as (client, _):
        first = await replied(client, "one")
        other = await replied(client, "other")
        for way, more in (("regenerates", {}), ("edits", {"user_message": "1"})):
            body = {way: first.reply_id, **more}
            once = await _beside(client, key=way, **body)
            named = await _beside(client, key=way, conversation_id=first.conversation_id, **body)
            assert once.json() == named.json()
            reused = await _beside(client, key=way, **body | {way: other.reply_id})
            assert problem(reused) == (409, "idempotency-key-reused")
        plain = await ask(client, "1", first.conversation_id, idempotency_key="edits")
        assert problem(plain) == (409, "idempotency-key-reused")
        assert len(bot.seen) == 4


async def test_a_failed_branch_is_retried_in_its_place(database_url: str) -> None:
    """By its key: it keeps its parent, however the conversation went on meanwhile."""
    fails = True
    seen: list[list[str]] = []

    async def script(conversation: Any) -> Any:  # noqa: ANN401 - as ScriptedBot takes it
        seen.append([message.text for message in conversation.messages])
        if fails and conversation.user_message != "one":
            raise BotFailed
        yield f"re {conversation.user_message}"

    said: list[dict[str, Any]] = []
    async with service(database_url, ScriptedBot(script)) as (client, _):
        first = await replied(client, "one")
        failed = await ask(client, "two", first.conversation_id)
        for way, more in (("regenerates", {}), ("edits", {"user_message": "2"})):
            body = {way: failed.headers["reply-id"], **more}
            assert problem(await _beside(client, key=way, **body)) == (502, "bot-failed")
        fails = False
        await replied(client, "three", first.conversation_id)
        assert seen[-1] == ["one", "re one", "three"]
        for way, more in (("regenerates", {}), ("edits", {"user_message": "2"})):
            again = await _beside(client, key=way, **{way: failed.headers["reply-id"], **more})
            assert again.status == 200
            assert seen[-1] == ["one", "re one", more.get("user_message", "two")]
            await _chosen(client, first.conversation_id, again.headers["reply-id"])
            said = await messages(client, first.conversation_id)
            assert _texts(said)[3] == f"re {seen[-1][-1]}"
            assert said[3]["reply_id"] == again.headers["reply-id"]
            assert len(said[2]["branches"]["reply_ids"]) == 2
        assert len(said) == 6  # "three" was said after the failed edit
        assert "branches" not in said[3]


async def test_one_reply_runs_in_a_conversation_on_any_branch(database_url: str) -> None:
    """An edit while a reply runs is refused, or cancels that, which keeps what it has said."""
    bot = GatedBot()
    bot.let_through(2)
    async with (
        service(database_url, bot) as (client, _),
        client.stream("POST", CHAT, json={"user_message": "go on"}) as response,
    ):
        await anext(response.chunks())
        reply_id, conversation_id = response.headers["reply-id"], response.headers["conversation-id"]
        for body in ({"regenerates": reply_id}, {"edits": reply_id, "user_message": "2"}):
            assert problem(await _beside(client, **body)) == (409, "conversation-busy")
        assert (await _chosen(client, conversation_id, reply_id)).status == 200
        bot.let_through(100)
        body = {"regenerates": reply_id, "on_busy": "cancel"}
        async with client.stream("POST", CHAT, json=body) as answer:
            assert answer.status == 200
            said = await messages(client, conversation_id)
            assert said[1]["branches"]["reply_ids"] == [reply_id, answer.headers["reply-id"]]
            await cancelled(client, answer.headers["reply-id"])
        shown = await got(client, f"{conversation_at(conversation_id)}?branch={reply_id}")
        assert shown["messages"][1]["state"] == "cancelled"


async def test_edits_at_the_same_moment_are_one_after_the_other(database_url: str) -> None:
    """One gets through at a time; the tree is whole afterwards."""
    async with service(database_url, Echo()) as (client, _):
        first = await replied(client, "one")
        answers = await asyncio.gather(
            *(_beside(client, edits=first.reply_id, user_message=str(n)) for n in range(8)),
        )
        good = [answer.json()["reply_id"] for answer in answers if answer.status == 200]
        assert good
        assert {answer.status for answer in answers} <= {200, 409, 503}
        said = await messages(client, first.conversation_id)
        assert len(said) == 2
        assert set(said[0]["branches"]["reply_ids"]) >= {first.reply_id, *good}


async def test_all_branches_are_deleted_together(database_url: str) -> None:
    """Nothing is left of any."""
    async with service(database_url, Echo()) as (client, _):
        first = await replied(client, "one")
        await _edited(client, first.reply_id, "1", key="a")
        await _regenerated(client, first.reply_id)
        assert (await client.request("DELETE", conversation_at(first.conversation_id))).status == 204
        assert problem(await _beside(client, regenerates=first.reply_id)) == (404, "reply-not-found")
    for table in ("messages", "conversations", "idempotency_keys"):
        assert await run_sql(database_url, f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608 - our own names


async def test_a_version_that_knows_no_branches_adds_to_the_newest(database_url: str) -> None:
    """Its messages follow that one, and they are shown, whatever was chosen before."""
    async with service(database_url, Echo()) as (client, _):
        first = await replied(client, "one")
        await _edited(client, first.reply_id, "1")
        await _chosen(client, first.conversation_id, first.reply_id)
        for position, role, reply_id in ((4, "user", None), (5, "assistant", "f" * 32)):
            await run_sql(
                database_url,
                "INSERT INTO messages (conversation_id, position, role, text, created_ms, reply_id, state,"
                " finish_reason) VALUES (:of, :at, :role, 'old', 0, :reply, :state, :reason)",
                of=first.conversation_id,
                at=position,
                role=role,
                reply=reply_id,
                state=reply_id and "completed",
                reason=reply_id and "stop",
            )
        assert _texts(await messages(client, first.conversation_id)) == ["1", "1", "old", "old"]


async def test_branches_at_two_instances() -> None:
    """What one has begun or chosen, the other continues; two edits at once are one after the other."""
    url = fresh_database_url("postgresql")
    bot = Echo()
    async with service(url, bot) as (one, _), service(url, bot) as (two, _):
        first = await replied(one, "one")
        edited = await _edited(two, first.reply_id, "1")
        await _chosen(one, first.conversation_id, first.reply_id)
        await replied(two, "two", first.conversation_id)
        assert [text for _, text in bot.seen[-1]] == ["one", "one", "two"]
        answers = await asyncio.gather(
            *(_beside(client, edits=edited, user_message=str(n)) for n, client in enumerate((one, two) * 3))
        )
        good = [answer.json()["reply_id"] for answer in answers if answer.status == 200]
        assert good
        assert {answer.status for answer in answers} <= {200, 409, 503}
        said = await messages(one, first.conversation_id)
        assert set(said[0]["branches"]["reply_ids"]) >= {first.reply_id, edited, *good}
