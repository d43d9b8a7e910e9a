"""The queue for an engine is bounded, FIFO, and reported; a stale connection is not an outage."""

import asyncio
from contextlib import aclosing

import anyio
import pytest

from app.bots.line import Line
from app.bots.openai import OpenAI
from app.bots.request import Engine
from app.chat.errors import BotBusy, BotUnavailable
from app.chat.model import Conversation, Message
from tests.bots.asking import HELLO, WHOLE, ask, asking
from tests.support.completions import answer, begun, chunk, finish, speaks, stream
from tests.support.engine import CLOSE, RESET, FakeEngine


def _says(text: str) -> Conversation:
    return Conversation((Message("user", text),))


async def test_replies_get_their_turn_in_the_order_in_which_they_came() -> None:
    """One after another on one connection."""
    engine = FakeEngine(stream(chunk("x"), 0.01, finish()))
    async with asking(engine, connections=1, queue_seconds=20) as bot:
        await asyncio.gather(*[ask(bot, _says(f"{n}")) for n in range(20)])
    asked = [exchange.body["messages"][0]["content"] for exchange in engine.exchanges]
    assert asked == [f"{n}" for n in range(20)]


@pytest.mark.parametrize("place", ["before the head", "between two words"])
async def test_a_reply_that_waits_too_long_is_told_so(place: str, caplog: pytest.LogCaptureFixture) -> None:
    """With `Retry-After`; and nothing was sent for it."""
    engine = FakeEngine(() if place == "before the head" else begun(chunk("Hi")))
    async with asking(engine, connections=1, queue_seconds=0.1) as bot, anyio.create_task_group() as group:
        group.start_soon(ask, bot)
        await engine.asked()
        heard = await ask(bot)
        group.cancel_scope.cancel()
    assert isinstance(heard.error, BotBusy)
    assert heard.error.retry_after_seconds == 1
    assert len(engine.exchanges) == 1
    assert "CHAT_OPENAI_MAX_CONNECTIONS" in caplog.messages[0]


async def test_a_place_is_free_again_however_its_reply_ends() -> None:
    """Completed, failed, refused, abandoned while streaming, and abandoned while waiting."""
    engine = FakeEngine()
    async with asking(engine, connections=1, queue_seconds=10) as bot:
        for script in (speaks("Hi"), [RESET], answer(401), stream(), stream(chunk("Hi "), RESET)):
            engine.answers(script)
            await ask(bot)
        engine.answers(begun(chunk("Hi ")))
        async with aclosing(bot.reply(HELLO)) as items:
            async for item in items:
                if item:
                    break
            with anyio.move_on_after(0.05):
                await ask(bot)
        engine.answers(WHOLE)
        assert (await ask(bot)).text == "Hi there!"


async def test_a_full_line_lets_nobody_else_wait() -> None:
    """Then a request is refused at once."""
    line = Line(1, 2, 3600)
    await line.enter()
    async with anyio.create_task_group() as group:
        group.start_soon(line.enter)
        group.start_soon(line.enter)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(BotBusy):
            await line.enter()
        line.leave()
        line.leave()


async def test_a_turn_that_comes_as_its_reply_leaves_goes_to_the_next_one() -> None:
    """No place is lost."""
    line = Line(1, 10, 3600)
    await line.enter()
    async with anyio.create_task_group() as leaving, anyio.create_task_group() as staying:
        leaving.start_soon(line.enter)
        await anyio.wait_all_tasks_blocked()
        staying.start_soon(line.enter)
        await anyio.wait_all_tasks_blocked()
        line.leave()
        leaving.cancel_scope.cancel()


@pytest.mark.parametrize("stale", [[CLOSE], [RESET]], ids=["closes", "resets"])
async def test_a_used_connection_that_is_closed_meanwhile_is_no_outage(stale: list[object]) -> None:
    """llama.cpp closes each one after its stream. The retry is immediate, on a new one, and may fail for real."""
    engine = FakeEngine(WHOLE, stale, WHOLE)  # type: ignore[arg-type]  # one of the two
    async with asking(engine) as bot:
        assert (await ask(bot)).text == "Hi there!"
        assert (await ask(bot)).text == "Hi there!"
        assert len(engine.connections) == 2
        engine.answers(WHOLE, stale, [RESET], [RESET], WHOLE)  # type: ignore[arg-type]  # as above
        await ask(bot)
        before = len(engine.exchanges)
        assert type((await ask(bot)).error) is BotUnavailable
        assert len(engine.exchanges) - before == 3


async def test_many_stale_connections_cost_one_more_request_each() -> None:
    """Not one per stale connection: the retry does not use the pool."""
    engine = FakeEngine(*[WHOLE] * 8, *[[CLOSE]] * 1, WHOLE)
    async with asking(engine) as bot:
        await asyncio.gather(*[ask(bot) for _ in range(8)])
        before = len(engine.exchanges)
        assert (await ask(bot)).text == "Hi there!"
    assert len(engine.exchanges) - before == 2


async def test_replies_that_wait_when_the_client_is_closed_are_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    """As when a local model's process dies: the one without a first byte asks once more, the others for the first time.

    Also those that come too late, and those that ask for the list of models first.
    """
    async with FakeEngine(()) as engine:
        bot = OpenAI(Engine(base_url=engine.url, model="m", connections=1, queue_seconds=60))
        unnamed = OpenAI(Engine(base_url=engine.url))
        async with bot, unnamed:
            waiting = [asyncio.create_task(ask(bot)) for _ in range(3)]
            await engine.asked()
        waiting += [asyncio.create_task(ask(each)) for each in (bot, unnamed)]
        for heard in await asyncio.gather(*waiting):
            assert type(heard.error) is BotUnavailable
            assert heard.error.retry_after_seconds == 1
    assert len(caplog.messages) == len(waiting)
