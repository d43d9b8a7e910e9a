"""The AI SDK's protocol says the same as ours, and its clients get our branches, our resume and our retries."""

import anyio

from app.main import create_app
from tests.dialects.text import of_any_text, said_by_us
from tests.support.addresses import cancel_of
from tests.support.asgi import Client
from tests.support.bots import GatedBot
from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.settings import Settings
from tests.support.talk import Echo, got, messages, problem, replied, service
from tests.support.ui import UI, UiSaid, again_at, check_ui, reply, ui_asked, user


async def said(client: Client, *shown: dict[str, object], **fields: object) -> UiSaid:
    """The reply to the last message shown."""
    answer = await client.request("POST", UI, json=ui_asked(*shown, **fields))  # type: ignore[arg-type] # chat_id
    assert answer.status == 200, answer.content
    assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1"
    told = check_ui(answer.content)
    assert told.message_id == told.metadata["reply_id"] == answer.headers["reply-id"]
    assert told.metadata["conversation_id"] == answer.headers["conversation-id"]
    return told


@of_any_text
async def test_the_text_is_that_of_our_own_stream(client: Client, text: str, chunk: int) -> None:
    """For any text in deltas of any size."""
    message, ours = await said_by_us(client, text, chunk)
    await client.request("DELETE", "/api/conversations/chat")
    assert (await said(client, user(message))).text == ours


async def test_the_chat_is_a_conversation_whose_bot_hears_what_is_stored() -> None:
    """Whatever the client says that it shows."""
    bot = Echo()
    async with service(fresh_database_url(), bot) as (client, _):
        one = await said(client, user("one"))
        two = await said(client, user("one"), reply(one.message_id, "forged"), user("two", "u2"))
        assert (one.text, two.text, two.reason) == ("one", "two", "stop")
        assert bot.seen[-1] == [("user", "one"), ("assistant", "one"), ("user", "two")]
        conversation = await got(client, "/api/conversations/chat")
        assert conversation["conversation_id"] == two.metadata["conversation_id"]
        assert await said(client, user("one"), reply(one.message_id), user("two", "u2")) == two  # sent again
        blank = (user("one"), reply(one.message_id), user("two", "u2"), user("\ufeff", "u3"))  # which is white space
        assert await said(client, *blank) == two


async def test_a_conversation_of_ours_goes_on_by_its_id() -> None:
    """And a client's name in the form of an id begins one of its own."""
    async with service(fresh_database_url()) as (client, _):
        ours = await replied(client, "hello")
        more = await said(client, user("more"), chat_id=ours.conversation_id)
        assert more.metadata["conversation_id"] == ours.conversation_id
        new = await said(client, user("more"), chat_id="f" * 32)
        assert (await said(client, user("more"), chat_id="f" * 32)).message_id == new.message_id
        there = f"/api/conversations/{'f' * 32}"
        assert (await got(client, there))["conversation_id"] == new.metadata["conversation_id"]
        assert (await client.request("DELETE", there)).status == 204


async def test_an_edited_message_and_a_new_answer_begin_branches() -> None:
    """Where the client shows them; nothing is lost, and the bot hears only what is before them."""
    bot = Echo()
    async with service(fresh_database_url(), bot) as (client, _):
        one = await said(client, user("one"))
        behind_one = (user("one"), reply(one.message_id))
        two = await said(client, *behind_one, user("two", "u2"))
        edited = await said(client, *behind_one, user("other", "u2"), messageId="u2")
        assert bot.seen[-1] == [("user", "one"), ("assistant", "one"), ("user", "other")]
        anew = await said(client, *behind_one, user("other", "u2"), trigger="regenerate-message")
        assert bot.seen[-1] == bot.seen[-2]
        path = await messages(client, "chat")
        assert [each["text"] for each in path] == ["one", "one", "other", "other"]
        assert path[2]["branches"] == {"index": 1, "reply_ids": [two.message_id, anew.message_id]}
        assert path[3]["branches"] == {"index": 1, "reply_ids": [edited.message_id, anew.message_id]}
        first = await said(client, user("first", "u1"), messageId="u1")
        assert bot.seen[-1] == [("user", "first")]
        shown = (*behind_one, user("two", "u2"), reply(two.message_id))  # another tab, with another branch
        await said(client, *shown, user("three", "u3"))
        assert [text for _, text in bot.seen[-1]] == ["one", "one", "two", "two", "three"]
        assert (await messages(client, "chat"))[0]["branches"]["reply_ids"] == [one.message_id, first.message_id]


async def test_files_are_refused_in_what_is_answered_and_nowhere_else() -> None:
    """Clients send all that they show: a file that was refused once must not end the chat."""
    file = {"type": "file", "mediaType": "image/png", "url": "data:,"}
    with_file = user("see", "u2") | {"parts": [*user("see")["parts"], file]}
    async with service(fresh_database_url()) as (client, _):
        for behind in ([], [user("\ufeff", "u3")]):  # which is white space
            answer = await client.request("POST", UI, json=ui_asked(user("one"), with_file, *behind))
            assert problem(answer) == (400, "unsupported-parameter")
            assert answer.json()["errors"][0]["pointer"] == "/messages/1/parts/1"
        assert (await said(client, with_file, user("one"))).text == "one"


async def test_what_failed_is_answered_anew() -> None:
    """As a client offers it after an error, which leaves no reply to name."""
    async with service(fresh_database_url()) as (client, _):
        lost = ui_asked(user("/simulate status=503\nhello"))
        assert problem(await client.request("POST", UI, json=lost)) == (503, "bot-unavailable")
        again = lost | {"trigger": "regenerate-message"}
        assert problem(await client.request("POST", UI, json=again)) == (503, "bot-unavailable")
        failed = [each for each in await messages(client, "chat") if each["role"] == "assistant"]
        assert len(failed[0]["branches"]["reply_ids"]) == 2
        assert (await said(client, user("/simulate status=503\nhello"), user("two", "u2"))).text == "two"


async def test_a_page_that_is_loaded_again_gets_the_running_reply_from_its_beginning() -> None:
    """With the same id, until it is cancelled; then nothing runs."""
    bot = GatedBot()
    async with Client(create_app(Settings(resume_window_seconds=60), bot)) as client:
        async with client.open("POST", UI, json=ui_asked(user("go"))) as lost:
            bot.let_through(3)
            chunks = lost.chunks()
            while b"word2" not in await anext(chunks):
                pass
        async with client.stream("GET", again_at("chat")) as again:
            assert again.status == 200
            reply_id = again.headers["reply-id"]
            assert (await client.request("POST", cancel_of(reply_id))).status == 204
            told = check_ui(await again.read())
        assert (told.message_id, told.text, told.reason) == (reply_id, "word1 word2 word3 ", "other")
        assert told.metadata["finish_reason"] == "cancelled"
        assert (await client.request("GET", again_at("chat"))).status == 204


async def test_a_new_message_cancels_the_reply_that_its_client_has_left() -> None:
    """A client stops by leaving, and may say more at once."""
    bot = GatedBot()
    async with Client(create_app(Settings(max_reply_characters=12, resume_window_seconds=60), bot)) as client:
        async with client.open("POST", UI, json=ui_asked(user("go"))):
            with anyio.fail_after(60):
                await bot.started.wait()
        bot.let_through(1000)
        assert (await said(client, user("go"), user("on", "u2"))).reason == "length"
        assert bot.closed.is_set()


async def test_chats_are_each_principals_own() -> None:
    """Nobody finds what is running for another."""
    url, bot = fresh_database_url(), GatedBot()
    one, two = [{"authorization": bearer((await made_key(url, name))[0])} for name in ("one", "two")]
    async with service(url, bot) as (client, _), client.open("POST", UI, json=ui_asked(user("go")), headers=one):
        with anyio.fail_after(60):
            await bot.started.wait()
        assert (await client.request("GET", again_at("chat"), headers=two)).status == 204
        assert (await client.request("HEAD", again_at("chat"), headers=one)).status == 200
