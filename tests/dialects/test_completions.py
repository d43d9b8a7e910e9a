"""OpenAI's protocol says the same as ours: its text, where it ends, what the bot is asked, and what a repeat gets."""

from collections.abc import AsyncGenerator

import anyio
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from app.chat.errors import BotFailed
from app.chat.model import Conversation, Finish, Message, Sampling, Usage
from app.main import create_app
from tests.dialects.text import of_any_text, said_by_us
from tests.support.addresses import CHAT, COMPLETED, asked
from tests.support.asgi import Client, Whole
from tests.support.bots import GatedBot, ScriptedBot, no_open_reply
from tests.support.chunks import Completion, check_body, check_completion
from tests.support.completions import chunk, finish, stream
from tests.support.engine import FakeEngine
from tests.support.settings import Settings
from tests.support.texts import is_white_space, normalised, texts

_KEY = {"idempotency-key": "one"}


async def complete(client: Client, message: str, **fields: object) -> Completion:
    """A completion, as a stream unless the fields say otherwise."""
    return read(await client.request("POST", COMPLETED, json=asked(message, COMPLETED) | fields))


def read(answer: Whole) -> Completion:
    """A response, checked."""
    assert answer.status == 200, answer.content
    is_stream = answer.headers["content-type"].startswith("text/event-stream")
    return (check_completion if is_stream else check_body)(answer.content)


@of_any_text
async def test_the_text_is_that_of_our_own_stream(client: Client, text: str, chunk: int) -> None:
    """For any text in deltas of any size: joined, in one piece, and at `/api/chat`."""
    message, ours = await said_by_us(client, text, chunk)
    streamed = await complete(client, message)
    assert streamed.text == ours
    assert streamed.reason == "stop"
    assert (await complete(client, message, stream=False)).text == ours


@settings(settings.get_profile("laws"))
@given(
    st.text("ab \n", max_size=30),
    st.lists(st.text("ab \n", max_size=4), max_size=4),
    st.integers(1, 5),
)
@example("aab", ["ab"], 1)
@example("aaab", ["aab", "aaa"], 1)
@example("ab", ["", "b"], 1)
async def test_a_reply_ends_before_the_first_stop_sequence(
    client: Client, text: str, stops: list[str], chunk: int
) -> None:
    """The one that is complete first, wherever deltas cut it in two."""
    ends = [(place + len(stop), place) for stop in stops if stop and (place := text.find(stop)) >= 0]
    said = await complete(client, f"/simulate chunk={chunk}\n{text}", stop=stops)
    assert said.text == normalised(text[: min(ends, default=(0, len(text)))[1]])
    assert said.reason == "stop"


@settings(settings.get_profile("laws"))
@given(texts, st.integers(1, 12), st.integers(1, 9))
async def test_a_bot_without_tokens_says_at_most_so_many_words(
    client: Client, text: str, most: int, chunk: int
) -> None:
    """The first words of the whole reply; `length` only if there were more."""
    assume(not all(map(is_white_space, text)))
    message = f"/simulate chunk={chunk}\n{text}"
    ours = (await client.request("POST", CHAT, json=asked(message))).transcript()
    said = await complete(client, message, max_tokens=most, max_completion_tokens=most + 1)
    assert said.text == "".join(ours.words[:most])
    assert said.reason == ("length" if len(ours.words) > most else "stop")


async def test_stop_and_a_limit_hold_together_and_keep_the_usage() -> None:
    """Whichever is first; what the bot has counted by then is reported."""

    async def script(_: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        yield "one two "
        yield Usage(3, 2)
        yield "three STOP four"
        yield Finish("stop", Usage(3, 9))

    options = {"include_usage": True}
    async with Client(create_app(Settings(), ScriptedBot(script))) as client:
        stopped = await complete(client, "go", stop="STOP", max_tokens=9, stream_options=options)
        assert (stopped.text, stopped.reason) == ("one two three ", "stop")
        assert stopped.usage == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        limited = await complete(client, "go", stop="STOP", max_tokens=2)
        assert (limited.text, limited.reason, limited.usage) == ("one two ", "length", None)
        whole = await complete(client, "go", stream=None, stop=None, max_tokens=None)
        assert whole.usage == {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}


async def test_the_bot_gets_the_conversation_of_the_request_and_nothing_is_stored() -> None:
    """Instructions apart, parts joined, roles alternating, from the first user message on."""
    heard: list[Conversation] = []

    async def script(conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        heard.append(conversation)
        yield "Hi"

    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "Welcome!"},
        {"role": "user", "content": "a", "metadata": None, "options": [{}]},
        {"role": "assistant", "content": None, "tool_calls": None},
        {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
        {"role": "assistant", "content": "d"},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "e"},
    ]
    tools = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]  # Open WebUI's
    asks = {"temperature": 1, "stop": ["x", ""], "max_tokens": 9, "max_completion_tokens": 7, "user": "u", "seed": 1}
    async with Client(create_app(Settings(history_messages=2), ScriptedBot(script))) as client:
        await complete(client, "", messages=messages, model="gpt-4o", tools=tools, n=1, logprobs=False, **asks)
        assert (await client.request("GET", "/api/conversations")).json() == {"conversations": []}
        more = [*messages, {"role": "assistant", "content": "f"}]
        await complete(client, "", messages=more, tools=tools, tool_choice="auto", function_call="none")
    expected = (Message("user", "a\n\nb\nc"), Message("assistant", "d"), Message("user", "e"))
    assert heard[0] == Conversation(expected, "Be brief.\n\nBe kind.", Sampling(1, 7, ("x",)))
    assert heard[1].messages == (*expected, Message("assistant", "f"))  # for a model to continue
    assert heard[1].user_message == "e"


async def test_an_engine_is_asked_what_the_request_asks() -> None:
    """Within the operator's limit, and after the operator's instructions."""
    async with FakeEngine(*[stream(chunk("Hi"), finish())] * 2) as engine:
        own = Settings.model_validate(
            {
                "bot": "openai",
                "openai_base_url": engine.url,
                "openai_model": "m",
                "system_prompt": "Be good.",
                "temperature": 0.5,
                "max_tokens": 50,
            }
        )
        async with Client(create_app(own)) as client:
            turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
            await complete(client, "", messages=turns, temperature=0.1, max_tokens=90, stop="x")
            await complete(client, "hello", max_completion_tokens=7)
    first, second = [exchange.body for exchange in engine.exchanges]
    assert first["messages"] == [{"role": "system", "content": "Be good.\n\nBe brief."}, turns[1]]
    assert (first["temperature"], first["max_tokens"], first["stop"]) == (0.1, 50, ["x"])
    assert second["messages"][0]["content"] == "Be good."
    assert (second["temperature"], second["max_tokens"], "stop" in second) == (0.5, 7, False)


async def test_only_the_same_request_with_the_same_key_gets_the_same_reply() -> None:
    """Also in another form; without a key, two equal requests are two."""
    count = 0

    async def script(_: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        nonlocal count
        count += 1
        yield f"number {count}"

    async with Client(create_app(Settings(resume_window_seconds=60), ScriptedBot(script))) as client:

        async def ask(message: str = "go", headers: dict[str, str] | None = None, **fields: object) -> Whole:
            return await client.request("POST", COMPLETED, json=asked(message, COMPLETED) | fields, headers=headers)

        texts = [read(await ask(headers=headers)).text for headers in (_KEY, None, None, _KEY)]
        assert texts == ["number 1", "number 2", "number 3", "number 1"]
        assert read(await ask(headers=_KEY, stream=False)).text == "number 1"
        assert (await ask("another", headers=_KEY)).json()["error"]["code"] == "idempotency-key-reused"
        assert (await ask(headers=_KEY, temperature=1)).status == 409
        ours = await client.request("POST", CHAT, json=asked("go"), headers=_KEY)
        assert ours.transcript().text == "number 4"  # a key of another operation's


async def test_a_repeat_attaches_to_the_reply_that_lost_its_reader() -> None:
    """From its beginning; and when it was given up, or has failed, the request is a new one."""
    bot = GatedBot()
    async with Client(create_app(Settings(resume_window_seconds=60), bot)) as client:
        body = asked("go", COMPLETED)
        async with client.open("POST", COMPLETED, json=body, headers=_KEY) as lost:
            bot.let_through(3)
            chunks = lost.chunks()
            while b"word1" not in await anext(chunks):
                pass
        async with client.open("POST", COMPLETED, json=body, headers=_KEY) as again:
            bot.let_through(1)
            raw, chunks = b"", again.chunks()
            while b"word3" not in raw:
                raw += await anext(chunks)
        assert [raw.count(b"word%d" % n) for n in (1, 2, 3)] == [1, 1, 1]
        assert bot.pulled == 4


async def test_without_a_resume_window_a_key_keeps_nothing_running() -> None:
    """The operator's 0 means: at once."""
    bot = GatedBot()
    app = create_app(Settings(resume_window_seconds=0), bot)
    async with Client(app) as client:
        async with client.open("POST", COMPLETED, json=asked("go", COMPLETED), headers=_KEY):
            with anyio.fail_after(60):
                await bot.started.wait()
        with anyio.fail_after(60):
            await bot.closed.wait()
        await no_open_reply(app)


async def test_what_has_failed_is_generated_anew() -> None:
    """A client repeats because it failed."""
    outcomes = iter([BotFailed(), None])

    async def script(_: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        if (error := next(outcomes)) is not None:
            raise error
        yield "Hi"

    async with Client(create_app(Settings(resume_window_seconds=60), ScriptedBot(script))) as client:
        body = asked("go", COMPLETED)
        assert (await client.request("POST", COMPLETED, json=body, headers=_KEY)).status == 502
        assert read(await client.request("POST", COMPLETED, json=body, headers=_KEY)).text == "Hi"


async def test_a_silent_bot_is_heard_of_and_the_role_comes_first() -> None:
    """Comments keep the connection alive, without an empty line of their own."""
    bot = GatedBot()
    own = Settings(first_word_seconds=0.01, heartbeat_seconds=0.01)
    async with (
        Client(create_app(own, bot)) as client,
        client.stream("POST", COMPLETED, json=asked("go", COMPLETED)) as response,
    ):
        chunks = response.chunks()
        assert b'"delta":{"role":"assistant","content":""}' in await anext(chunks)
        assert await anext(chunks) == b": ping\n"
