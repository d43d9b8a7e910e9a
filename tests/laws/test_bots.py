"""The laws hold with every bot, including a real model: all readers get what it generates, and it can be stopped.

The rest of this folder tests each law with any text; this file, with the bots and engines that people run.
"""

import itertools
from collections.abc import AsyncGenerator, Iterator

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated.models import Reply
from tests.support.addresses import BOTH, CHAT, events_of, reply_at
from tests.support.asgi import Response
from tests.support.bots import no_open_reply
from tests.support.llama import LlamaServer
from tests.support.resuming import WAYS, Resumer, Way
from tests.support.subjects import KINDS, Said, Subject, subject
from tests.support.talk import cancelled, got, messages, replied
from tests.support.texts import normalised

_A_FEW = settings(
    settings.get_profile("laws"), max_examples=max(2, (settings.get_profile("laws").max_examples or 0) // 150)
)
_keys = itertools.count()


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The server's event loop."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
def llama() -> Iterator[LlamaServer]:
    """One engine for all applications that use it."""
    with LlamaServer(context_tokens=1024) as llama:
        yield llama


@pytest.fixture(scope="module", params=KINDS)
async def bot(request: pytest.FixtureRequest, llama: LlamaServer) -> AsyncGenerator[Subject, None]:
    """A bot with short replies that can be resumed."""
    async with subject(request.param, llama, is_long=False) as bot:
        yield bot


@pytest.fixture(scope="module", params=KINDS)
async def talker(request: pytest.FixtureRequest, llama: LlamaServer) -> AsyncGenerator[Subject, None]:
    """A bot with long replies, which stop without readers."""
    async with subject(request.param, llama, is_long=True) as bot:
        yield bot


def _text(said: Said) -> str:
    return normalised("".join(said.deltas))


async def test_what_the_bot_says_is_what_everybody_gets(bot: Subject) -> None:
    """Laws 1 and 2: the words, `done`, the reply read again in either form, and the conversation have the same text."""
    response = await bot.client.request("POST", CHAT, json={"user_message": bot.message})
    transcript = response.transcript()
    reply = transcript.reply
    said = bot.bot.said[-1]
    assert transcript.text == reply.text == _text(said)
    assert len(transcript.words) > 3
    assert (await bot.client.request("GET", events_of(reply.reply_id))).transcript() == transcript
    assert Reply.model_validate(await got(bot.client, reply_at(reply.reply_id))) == reply
    (_, stored) = await messages(bot.client, reply.conversation_id)
    assert stored["text"] == reply.text
    assert stored["finish_reason"] == reply.finish_reason
    assert stored["state"] == "completed"


async def test_who_asks_for_json_gets_what_the_bot_says(bot: Subject) -> None:
    """Law 1, for JSON."""
    reply = await replied(bot.client, bot.message)
    assert reply.text == _text(bot.bot.said[-1])


async def test_finish_reason_and_usage_are_the_bots(bot: Subject) -> None:
    """If it reports them; otherwise the finish reason is `stop`."""
    reply = await replied(bot.client, bot.message)
    finish = bot.bot.said[-1].finish
    assert (finish is not None) is bot.counts
    assert reply.finish_reason == (finish.reason if finish else "stop")
    if finish and finish.usage:
        assert reply.model_dump()["usage"] == {
            "prompt_tokens": finish.usage.prompt_tokens,
            "completion_tokens": finish.usage.completion_tokens,
        }
        assert finish.usage.completion_tokens > 3
    else:
        assert "usage" not in reply.model_dump()
    assert (finish is not None and finish.usage is not None) is bot.counts


async def test_the_bot_is_given_the_earlier_turns(bot: Subject) -> None:
    """And so does the engine behind it."""
    first = await replied(bot.client, bot.message)
    second = await replied(bot.client, f"{bot.message} Go on.", first.conversation_id)
    said = bot.bot.said[-1]
    assert said.turns == [
        {"role": "user", "content": bot.message},
        {"role": "assistant", "content": first.text},
        {"role": "user", "content": f"{bot.message} Go on."},
    ]
    assert await bot.behind.asked(len(bot.bot.said)) in (None, said.turns)
    assert [message["text"] for message in await messages(bot.client, first.conversation_id)][-1] == second.text


_CUTS = st.lists(st.tuples(st.none() | st.integers(0, 700), st.sampled_from(WAYS)), min_size=2, max_size=6)


@_A_FEW
@given(_CUTS)
async def test_a_stream_that_is_cut_anywhere_is_whole_when_it_is_resumed(
    bot: Subject, cuts: list[tuple[int | None, Way]]
) -> None:
    """Law 3: nothing is lost, repeated or out of order, and the reply is generated once."""
    before = len(bot.bot.said)
    resumer = Resumer(f"key-{next(_keys)}")
    way: Way = "key"
    for cut in [*cuts, None]:
        request = resumer.request(way)
        json = {"user_message": bot.message} if request.method == "POST" else None
        async with bot.client.open(request.method, request.path, json=json, headers=request.headers) as response:
            if cut is not None and cut[0] is None:
                await anyio.lowlevel.checkpoint()
            else:
                await _read(response, resumer, cut[0] if cut else None)
        if resumer.end is not None:
            break
        way = cut[1] if cut else way
    assert isinstance(resumer.end, Reply)
    (said,) = bot.bot.said[before:]
    assert "".join(resumer.words) == resumer.end.text == _text(said)


async def _read(response: Response, resumer: Resumer, room: int | None) -> None:
    """Read up to `room` bytes of a response, or all."""
    await response.head()
    resumer.head(response.status, response.headers)
    async for chunk in response.chunks():
        resumer.body(chunk[:room])
        if room is not None:
            room -= len(chunk)
            if room <= 0:
                return


@pytest.mark.parametrize("path", BOTH)
async def test_leaving_before_the_first_word_stops_the_bot(talker: Subject, path: str) -> None:
    """Law 4, including its engine, before there is even a status line."""
    count = len(talker.bot.said) + 1
    body = {"user_message": talker.message}
    async with talker.client.open("POST", path, json=body):
        with anyio.fail_after(60):
            while len(talker.bot.said) < count:
                await anyio.lowlevel.checkpoint()
            await talker.behind.asked(count)
    await _stops(talker)


async def test_leaving_in_the_middle_stops_the_bot(talker: Subject) -> None:
    """Law 4, including its engine."""
    async with talker.client.stream("POST", "/api/chat", json={"user_message": talker.message}) as response:
        await _until_the_third_word(response)
    await _stops(talker)


async def test_a_reply_that_is_cancelled_stops_the_bot(talker: Subject) -> None:
    """Law 4: its readers get `done` with the text so far."""
    async with talker.client.stream("POST", "/api/chat", json={"user_message": talker.message}) as response:
        begun = await _until_the_third_word(response)
        await cancelled(talker.client, response.headers["reply-id"])
        raw = begun + await response.read()
    said = await _stops(talker)
    end = raw.rpartition(b"data: ")[2]
    reply = Reply.model_validate_json(end)
    assert (reply.finish_reason, reply.text) == ("cancelled", _text(said))


async def _until_the_third_word(response: Response) -> bytes:
    raw = b""
    async for chunk in response.chunks():
        raw += chunk
        if raw.count(b"\n\n") >= 3:
            return raw
    raise AssertionError(f"there is no third word: {raw!r}")


async def _stops(talker: Subject) -> Said:
    """Check that the bot is closed before its end, and that its engine is idle or disconnected."""
    said = talker.bot.said[-1]
    with anyio.fail_after(60):
        await said.closed.wait()
    await talker.behind.left(len(talker.bot.said))
    await no_open_reply(talker.app)
    assert said.finish is None
    return said
