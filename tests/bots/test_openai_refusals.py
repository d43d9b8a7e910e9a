"""A refusal does not end a conversation: what is too long is shortened, what is filtered is reported to the user."""

import json
from itertools import pairwise

import pytest

from app.chat.errors import BotFailed, BotMisconfigured, BotUnavailable, MessageRefused
from app.chat.model import Conversation, Finish, Message
from tests.bots.asking import HELLO, TALK, WHOLE, ask, asking, hear
from tests.bots.complaints import FILTERED, MISCONFIGURED, TOO_LONG, UNREACHABLE
from tests.bots.faults import CANARY
from tests.support.completions import DONE, answer, begun, chunk, event, finish, said, stream, usage
from tests.support.engine import Exchange, FakeEngine, Script


def long_talk(turns: int, characters: int = 400) -> Conversation:
    """A conversation of this many turns and characters per message, and a short question."""
    messages = [Message(role, f"{n:03}" + "x" * characters) for n in range(turns) for role in ("user", "assistant")]
    return Conversation((*messages, Message("user", "And now?")))


def sent(exchange: Exchange) -> list[str]:
    """The messages in a request."""
    return [message["content"] for message in exchange.body["messages"]]


@pytest.mark.parametrize("refusal", TOO_LONG.values(), ids=TOO_LONG.keys())
async def test_a_conversation_that_is_too_long_is_tried_without_its_oldest_turns(refusal: Script) -> None:
    """However the engine reports it, by status or event. The system prompt stays; the user learns of the omission."""
    engine = FakeEngine(refusal, WHOLE)
    async with asking(engine, system_prompt="Be brief.") as bot:
        heard = await ask(bot, TALK)
    assert (heard.error, heard.text) == (None, "Hi there!")
    assert heard.finish == Finish("stop", omitted_messages=2)
    first, second = map(sent, engine.exchanges)
    assert first == ["Be brief.", "hello", "Hi!", "Who are you?"]
    assert second == [first[0], first[-1]]


@pytest.mark.parametrize("refusal", TOO_LONG.values(), ids=TOO_LONG.keys())
@pytest.mark.parametrize(("conversation", "expected"), [(HELLO, 1), (TALK, 2)], ids=["one message", "history"])
async def test_a_message_that_is_too_long_is_refused(
    refusal: Script, conversation: Conversation, expected: int
) -> None:
    """The user can do something about it, and is told in our own words."""
    heard, requests = await hear(refusal, conversation=conversation)
    assert isinstance(heard.error, MessageRefused)
    assert requests == expected
    assert heard.error.reason.startswith("This is longer than the model accepts.")


async def test_without_numbers_the_older_half_is_left_out_until_it_fits() -> None:
    """Step by step, oldest turns first; each request starts with a user message, and roles alternate."""
    refusal = answer(400, {"error": "context length exceeded"})
    engine = FakeEngine(refusal, refusal, WHOLE)
    async with asking(engine) as bot:
        heard = await ask(bot, long_talk(16, 5))
    assert heard.finish == Finish("stop", omitted_messages=26)
    assert [len(sent(exchange)) for exchange in engine.exchanges] == [33, 15, 7]
    for exchange in engine.exchanges:
        roles = [message["role"] for message in exchange.body["messages"]]
        assert roles[0] == roles[-1] == "user"
        assert all(one != other for one, other in pairwise(roles))


async def test_with_numbers_as_much_is_left_out_as_has_to_be() -> None:
    """And later requests respect the limit, with room for the reply."""
    tokens = "maximum context length is 1000 tokens. However, your messages resulted in 2000 tokens."
    engine = FakeEngine(answer(404), answer(400, {"error": {"message": tokens}}), WHOLE)
    async with asking(engine, max_tokens=100) as bot:
        first = await ask(bot, long_talk(10))
        second = await ask(bot, long_talk(10))
    assert (first.error, second.error) == (None, None)
    _, refused, taken, next_one = engine.exchanges
    assert len(sent(refused)) == 21
    assert len(sent(taken)) == 9, "nine tenths of half of it"
    assert len(sent(next_one)) < 9, "before the engine has counted anything, a token is taken for three bytes"
    assert first.finish == Finish("stop", omitted_messages=12)


@pytest.mark.parametrize(
    "listed",
    [
        {"id": "m", "meta": {"n_ctx": 1024, "n_ctx_train": 8192}},
        {"id": "m", "max_model_len": 1024},
        {"id": "m", "context_length": 1024},
        {"id": "m", "context_window": 1024},
        {"id": "m", "top_provider": {"context_length": 1024}, "context_length": 999_999},
    ],
    ids=["llama.cpp", "vLLM, SGLang", "Together", "Groq", "OpenRouter"],
)
@pytest.mark.parametrize("model", ["m", None], ids=["named", "first of the list"])
async def test_how_much_the_model_takes_is_looked_up(listed: dict[str, object], model: str | None) -> None:
    """Once, for a conversation that may be too long: no reply is cut for lack of room, and none is refused."""
    engine = FakeEngine(answer(200, {"object": "list", "data": [listed]}), WHOLE)
    async with asking(engine, model=model, max_tokens=256) as bot:
        heard = await ask(bot, long_talk(10))
        await ask(bot, long_talk(10))
    assert [exchange.path for exchange in engine.exchanges] == ["/v1/models", *["/v1/chat/completions"] * 2]
    most = (1024 - 256) * 3
    assert len("".join(sent(engine.exchanges[1]))) <= most
    assert heard.finish == Finish("stop", omitted_messages=20 - (len(sent(engine.exchanges[1])) - 1))
    assert 3 <= len(sent(engine.exchanges[1])) < 21


async def test_a_list_that_cannot_be_had_is_no_trouble() -> None:
    """The list is optional."""
    engine = FakeEngine(answer(500), WHOLE)
    async with asking(engine) as bot:
        assert (await ask(bot, long_talk(10))).error is None
        assert (await ask(bot, long_talk(10))).error is None
    assert [exchange.method for exchange in engine.exchanges] == ["GET", "POST", "POST"]


async def test_what_the_engine_counts_makes_the_guess_better() -> None:
    """A text with four bytes per token gets more history than at first."""
    engine = FakeEngine(answer(200, {"data": [{"id": "m", "max_model_len": 1024}]}), WHOLE)
    async with asking(engine, max_tokens=24) as bot:
        await ask(bot, long_talk(20))
        before = len(sent(engine.exchanges[-1]))
        for _ in range(20):
            engine.answers(stream(chunk("x"), finish(), usage(300, 1), DONE))
            await ask(bot, long_talk(20))
    assert len(sent(engine.exchanges[-1])) > before


@pytest.mark.parametrize("empty", [stream(), stream(DONE), stream(said(role="assistant", content=""), DONE)])
async def test_an_empty_answer_is_asked_for_again_with_less_history(empty: Script) -> None:
    """llama-cpp-python responds like this to a conversation that is too long: a clean end without content."""
    engine = FakeEngine(empty, WHOLE)
    async with asking(engine) as bot:
        heard = await ask(bot, TALK)
    assert heard.finish == Finish("stop", omitted_messages=2)
    heard, requests = await hear(empty)
    assert (type(heard.error), requests) == (BotFailed, 1)


_IS_TOO_LONG, _IS_FILTERED = (
    event({"error": {"code": code}}) for code in ("context_length_exceeded", "content_filter")
)


@pytest.mark.parametrize(
    "first",
    [
        begun(chunk("\n\n"), 0.05, _IS_TOO_LONG),
        begun(chunk("\n\n") + _IS_TOO_LONG),
        begun(chunk(" \0\ufeff"), 0.05, _IS_FILTERED),
        stream(chunk(" "), 0.05, DONE),
    ],
    ids=["too long", "too long, at once", "filtered", "an empty answer"],
)
async def test_white_space_is_not_yet_an_answer(first: Script) -> None:
    """The reader has seen none of it, so the request can still be changed."""
    heard, requests = await hear(first, WHOLE, conversation=TALK)
    assert (heard.error, heard.text.strip(" \n\0\ufeff"), requests) == (None, "Hi there!", 2)
    assert heard.finish == Finish("stop", omitted_messages=2)


async def test_an_answer_of_thoughts_alone_is_not_asked_for_again() -> None:
    """Reasoning is paid for; less history would not reduce it."""
    heard, requests = await hear(stream(said(reasoning_content="Hm"), DONE), WHOLE, conversation=TALK)
    assert (type(heard.error), requests) == (BotFailed, 1)


@pytest.mark.parametrize("refusal", FILTERED.values(), ids=FILTERED.keys())
async def test_a_message_that_a_filter_forbids_is_refused(refusal: Script) -> None:
    """The user is told in our own words, and not asked to retry."""
    heard, requests = await hear(refusal)
    assert isinstance(heard.error, MessageRefused)
    assert requests == 1
    assert heard.error.reason == "The model's content filter rejected this. Rephrase it."


@pytest.mark.parametrize("refusal", FILTERED.values(), ids=FILTERED.keys())
async def test_what_a_filter_forbids_in_the_history_does_not_end_the_conversation(refusal: Script) -> None:
    """It is retried without history; if that does not help, the message is the cause."""
    heard, requests = await hear(refusal, WHOLE, conversation=TALK)
    assert heard.finish == Finish("stop", omitted_messages=2)
    assert requests == 2
    heard, requests = await hear(refusal, conversation=TALK)
    assert (type(heard.error), requests) == (MessageRefused, 2)


@pytest.mark.parametrize(
    ("error", "reason"), [("content_filter", "content_filter"), ("context_length_exceeded", "length")]
)
async def test_a_filter_or_the_bound_in_the_middle_is_an_end(error: str, reason: str) -> None:
    """The reader gets the text so far, and the reason for its end."""
    heard, _ = await hear(stream(chunk("Hi "), chunk("there!"), event({"error": {"code": error}})))
    assert (heard.error, heard.text) == (None, "Hi there!")
    assert heard.finish is not None
    assert heard.finish.reason == reason


@pytest.mark.parametrize("refusal", MISCONFIGURED.values(), ids=MISCONFIGURED.keys())
async def test_a_wrong_key_model_or_address_is_the_operators(refusal: Script, caplog: pytest.LogCaptureFixture) -> None:
    """It is not retryable; one log line names the setting to check, and repeats nothing."""
    heard, requests = await hear(refusal)
    assert (type(heard.error), requests) == (BotMisconfigured, 1)
    (line,) = caplog.messages
    assert "Next: " in line
    assert "CHAT_OPENAI_" in line
    assert CANARY not in line


async def test_what_is_said_in_a_row_is_one_message() -> None:
    """Templates require alternating roles, starting with a user message."""
    engine = FakeEngine(WHOLE)
    conversation = Conversation(
        (Message("assistant", "Welcome!"), Message("user", "a"), Message("user", "b"), Message("user", "c"))
    )
    async with asking(engine) as bot:
        await ask(bot, conversation)
    assert json.dumps(engine.exchanges[0].body["messages"]) == '[{"role": "user", "content": "a\\n\\nb\\n\\nc"}]'


@pytest.mark.parametrize("refusal", UNREACHABLE.values(), ids=UNREACHABLE.keys())
async def test_an_engine_that_its_gateway_cannot_reach_is_unavailable(refusal: Script) -> None:
    """As one is that this service cannot reach; whatever status the gateway makes of it."""
    heard, _ = await hear(refusal, refusal)
    assert type(heard.error) is BotUnavailable
    assert CANARY not in str(heard)
