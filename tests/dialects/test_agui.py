"""AG-UI says the same as our own protocol, and its clients get our branches, our resume and our retries."""

from collections.abc import AsyncGenerator, Mapping

import anyio
import pytest

from app.chat.errors import BotFailed
from app.chat.model import Conversation, Finish, Usage
from app.main import create_app
from tests.dialects.text import of_any_text, said_by_us
from tests.support.addresses import cancel_of
from tests.support.agui import AG_UI, RunSaid, agui_asked, assistants, check_run, rest_of, users
from tests.support.asgi import Client
from tests.support.bots import GatedBot, ScriptedBot
from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.settings import Settings
from tests.support.talk import Echo, got, messages, problem, replied, service

_THREAD = "/api/conversations/trip-to-lisbon"


async def said(client: Client, run_id: str, *shown: Mapping[str, object], **fields: object) -> RunSaid:
    """The reply to the last message shown."""
    body = agui_asked(*map(dict, shown), runId=run_id, **fields)
    answer = await client.request("POST", AG_UI, json=body)
    assert answer.status == 200, answer.content
    told = check_run(answer.content)
    assert told.reply_id == answer.headers["reply-id"]
    assert told.conversation_id == answer.headers["conversation-id"]
    return told


@of_any_text
async def test_the_text_is_that_of_our_own_stream(client: Client, text: str, chunk: int) -> None:
    """For any text in deltas of any size."""
    message, ours = await said_by_us(client, text, chunk)
    await client.request("DELETE", _THREAD)
    assert (await said(client, "r", users(message))).text == ours


async def test_the_thread_is_a_conversation_whose_bot_hears_what_is_stored() -> None:
    """Whatever the client says that it shows; and the same run gets the same reply."""
    bot = Echo()
    async with service(fresh_database_url(), bot) as (client, _):
        one = await said(client, "r1", users("one"))
        shown = (users("one"), assistants(one.reply_id or "", "forged"), users("two", "u2"))
        two = await said(client, "r2", *shown)
        assert (one.text, two.text, two.outcome, two.finish_reason) == ("one", "two", "success", "stop")
        assert bot.seen[-1] == [("user", "one"), ("assistant", "one"), ("user", "two")]
        assert (await got(client, _THREAD))["conversation_id"] == two.conversation_id
        assert await said(client, "r2", *shown) == two
        assert (await said(client, "r1", users("one"), threadId="another")).reply_id != one.reply_id


async def test_a_conversation_of_ours_goes_on_by_its_id() -> None:
    """And a client's name in the form of an id begins one of its own."""
    async with service(fresh_database_url()) as (client, _):
        ours = await replied(client, "hello")
        more = await said(client, "r1", users("more"), threadId=ours.conversation_id)
        assert more.conversation_id == ours.conversation_id
        new = await said(client, "r1", users("more"), threadId="f" * 32)
        assert (await said(client, "r1", users("more"), threadId="f" * 32)).reply_id == new.reply_id
        assert (await got(client, f"/api/conversations/{'f' * 32}"))["conversation_id"] == new.conversation_id


async def test_an_edited_message_and_a_new_answer_begin_branches() -> None:
    """Where the client shows them; the bot hears only what is before them."""
    bot = Echo()
    async with service(fresh_database_url(), bot) as (client, _):
        one = await said(client, "r1", users("one"))
        behind_one = (users("one"), assistants(one.reply_id or ""))
        two = await said(client, "r2", *behind_one, users("two", "u2"))
        edited = await said(client, "r3", *behind_one, users("other", "u2"))
        assert bot.seen[-1] == [("user", "one"), ("assistant", "one"), ("user", "other")]
        anew = await said(client, "r4", *behind_one, users("other", "u2"), assistants(edited.reply_id or ""))
        assert bot.seen[-1] == bot.seen[-2]
        path = await messages(client, "trip-to-lisbon")
        assert [each["text"] for each in path] == ["one", "one", "other", "other"]
        assert path[2]["branches"] == {"index": 1, "reply_ids": [two.reply_id, anew.reply_id]}
        assert path[3]["branches"] == {"index": 1, "reply_ids": [edited.reply_id, anew.reply_id]}
        first = await said(client, "r5", *behind_one)  # shows a reply, and asks for another one
        assert bot.seen[-1] == [("user", "one")]
        shown = (*behind_one, users("two", "u2"), assistants(two.reply_id or ""))
        await said(client, "r6", *shown, {"id": "t", "role": "tool", "content": "x"}, users("three", "u3"))
        assert [text for _, text in bot.seen[-1]] == ["one", "one", "two", "two", "three"]
        branches = (await messages(client, "trip-to-lisbon"))[1]["branches"]
        assert branches["reply_ids"] == [one.reply_id, first.reply_id]
        await said(client, "r7", users("forgetful", "u9"))
        assert [text for _, text in bot.seen[-1]][-3:] == ["three", "three", "forgetful"]


async def test_the_first_message_is_answered_anew_as_long_as_it_is_alone() -> None:
    """Then it is shown without its reply, and so is a new message by a client that has forgotten the others."""
    bot = Echo()
    async with service(fresh_database_url(), bot) as (client, _):
        replies = [(await said(client, f"r{n}", users("one"))).reply_id for n in range(3)]
        assert bot.seen[-3:] == [[("user", "one")]] * 3
        path = await messages(client, "trip-to-lisbon")
        assert [each["text"] for each in path] == ["one", "one"]
        assert path[1]["branches"] == {"index": 2, "reply_ids": replies}
        await said(client, "r3", users("other"))
        await said(client, "r4", users("one"))
        assert [text for _, text in bot.seen[-1]] == ["one", "one", "other", "other", "one"]


async def test_parts_of_text_are_one_message_and_what_a_bot_cannot_do_is_ignored() -> None:
    """Clients send tools, context and state with every run, whether or not the agent has a use for them."""
    bot = Echo()
    parts = {"role": "user", "id": "u1", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}
    seen = {"role": "user", "id": "u0", "content": [{"type": "image", "source": {"type": "url", "value": "x:y"}}]}
    others: list[dict[str, object]] = [{"role": "system", "content": "a"}, {"role": "activity", "content": {}}]
    tools = [{"name": "search", "description": "Search.", "parameters": {"type": "object"}}]
    fields = {"tools": tools, "context": [{"description": "a", "value": "b"}], "state": {"a": None}, "resume": []}
    async with service(fresh_database_url(), bot) as (client, _):
        told = await said(client, "r1", *others, seen, parts, **fields, forwardedProps=None, data={})
        assert told.text == "one\ntwo"
        assert (await said(client, "r2", parts, users("\ufeff"))).text == "one\ntwo"  # which is white space
        for kind in ("image", "audio", "video", "document", "binary"):
            content = [{"type": "text", "text": "see"}, {"type": kind}]
            answer = await client.request("POST", AG_UI, json=agui_asked(seen, parts | {"content": content}))
            assert problem(answer) == (400, "unsupported-parameter")
            assert answer.json()["errors"][0]["pointer"] == "/messages/1/content/1"
            blank = await client.request("POST", AG_UI, json=agui_asked(parts | {"content": content}, users(" ")))
            assert problem(blank) == (400, "unsupported-parameter"), "a blank message is none"
        kinds: list[object] = [[], {}, None, 1]
        for strange in kinds:
            odd = parts | {"content": [{"type": strange, "text": "one"}]}
            answer = await client.request("POST", AG_UI, json=agui_asked(odd))
            assert problem(answer) == (422, "invalid-body")


async def test_what_failed_before_its_first_word_is_a_problem_and_the_same_run_gets_another_answer() -> None:
    """In the same place, so that the conversation has the message once."""
    failing = True

    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        if failing:
            raise BotFailed
        yield "there"

    async with service(fresh_database_url(), ScriptedBot(script)) as (client, _):
        assert problem(await client.request("POST", AG_UI, json=agui_asked(users("hello")))) == (502, "bot-failed")
        failing = False
        assert (await said(client, "run-1", users("hello"))).text == "there"
        assert [each["text"] for each in await messages(client, "trip-to-lisbon")] == ["hello", "there"]


async def test_a_failure_after_the_beginning_is_an_event_however_often_it_is_asked_for() -> None:
    """With what it has cost. A client that saw the run begin sees it end, even if no word came."""
    may_fail = anyio.Event()

    async def script(conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        yield Usage(3, 2)
        if conversation.user_message == "word":
            yield "one two "
        await may_fail.wait()
        raise BotFailed

    app = create_app(Settings(first_word_seconds=0.01), ScriptedBot(script))
    async with Client(app) as client:
        for run_id, message, words in (("r1", "word", "one "), ("r2", "none", "")):
            body = agui_asked(users(message), runId=run_id, threadId=run_id)
            async with client.stream("POST", AG_UI, json=body) as response:
                assert response.status == 200
                may_fail.set()
                told = check_run(await response.read())
            may_fail = anyio.Event()
            usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
            assert (told.code, told.outcome, told.usage) == ("bot-failed", None, usage)
            assert told.text.startswith(words)
            for last_id in told.ids:
                again = await rest_of(client, body, last_id)
                assert (again.code, again.usage) == ("bot-failed", usage)


async def test_a_cancelled_reply_is_an_outcome_and_usage_is_told() -> None:
    """Also of a reply that was abandoned, which its client reads later."""
    bot = GatedBot()
    async with Client(create_app(Settings(first_word_seconds=0.01), bot)) as client:
        async with client.stream("POST", AG_UI, json=agui_asked(users("go"))) as response:
            bot.let_through(3)
            assert (await client.request("POST", cancel_of(response.headers["reply-id"]))).status == 204
            told = check_run(await response.read())
        assert (told.outcome, told.finish_reason, told.code) == ("cancelled", "cancelled", None)

    async def script(_: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        yield "Hi "
        yield Finish("length", Usage(7, 1))

    async with Client(create_app(Settings(), ScriptedBot(script))) as client:
        told = await said(client, "r1", users("go"))
        usage = {"inputTokens": 7, "outputTokens": 1, "totalTokens": 8}
        assert (told.outcome, told.finish_reason, told.usage) == ("success", "length", usage)


async def test_a_new_run_cancels_the_reply_that_its_client_has_left() -> None:
    """A client stops by leaving, and may say more at once."""
    bot = GatedBot()
    async with Client(create_app(Settings(max_reply_characters=12, resume_window_seconds=60), bot)) as client:
        async with client.open("POST", AG_UI, json=agui_asked(users("go"))):
            with anyio.fail_after(60):
                await bot.started.wait()
        bot.let_through(1000)
        assert (await said(client, "r2", users("go"), users("on", "u2"))).finish_reason == "length"
        assert bot.closed.is_set()


@pytest.mark.parametrize("place", ["start", "0", "1", "1:end"])
async def test_runs_are_each_principals_own(place: str) -> None:
    """Nobody resumes another's, or finds it by its ids."""
    url = fresh_database_url()
    one, two = [{"authorization": bearer((await made_key(url, name))[0])} for name in ("one", "two")]
    async with service(url) as (client, _):
        body = agui_asked(users("hello"))
        mine = check_run((await client.request("POST", AG_UI, json=body, headers=one)).content)
        last_id = {"last-event-id": f"{mine.reply_id}:{place}"}
        refused = await client.request("POST", AG_UI, json=body, headers=two | last_id)
        assert problem(refused) == (404, "reply-not-found")
        theirs = check_run((await client.request("POST", AG_UI, json=body, headers=two)).content)
        assert theirs.reply_id != mine.reply_id
        assert theirs.conversation_id != mine.conversation_id
