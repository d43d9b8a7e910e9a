"""The built-in bots: what they reply, and how the simulator can be made to misbehave."""

from collections.abc import Sequence

import anyio
import pytest

from app.bots.greeter import Greeter
from app.bots.simulator import Simulation, Simulator, parse
from app.chat.errors import BotFailed, BotRateLimited, BotTimeout, BotUnavailable, ChatError, MessageRefused
from app.chat.model import Conversation, Finish, Message, Usage
from app.chat.ports import Bot


async def _said(bot: Bot, text: str) -> Sequence[str | Usage | Finish]:
    return [delta async for delta in bot.reply(Conversation((Message("user", text),)))]


@pytest.mark.parametrize("pace_ms", [0, 0.001])
@pytest.mark.parametrize("hello", ["hello", "Hello!", " hi there ", "HEY", "good morning", "hello\n"])
async def test_the_greeter_answers_a_greeting_exactly(hello: str, pace_ms: float) -> None:
    """In words if it has a pace, so that people see them arrive."""
    said = await _said(Greeter(pace_ms), hello)
    assert "".join(map(str, said)) == "Hi there! How can I help you today?"
    assert len(said) == (8 if pace_ms else 1)


@pytest.mark.parametrize("text", ["What is the time?", "hello world", "hiho", "🙂", "good"])
async def test_the_greeter_tells_others_what_it_is_and_how_to_plug_in_a_model(text: str) -> None:
    """It never repeats the message."""
    said = "".join(map(str, await _said(Greeter(0), text)))
    assert "greeter" in said
    assert "CHAT_BOT" in said
    assert text not in said


async def test_the_simulator_echoes_line_by_line_and_character_by_character() -> None:
    """Deltas are words with their white space, or `chunk` characters, or the whole text by default."""
    assert await _said(Simulator(), "one  two\n\tthree ") == ["one  two\n\tthree "]
    assert await _said(Simulator(), "/simulate chunk=3") == []
    assert await _said(Simulator(), "/simulate chunk=3\none two") == ["one", " tw", "o"]
    assert await _said(Simulator(), "/simulate repeat=2\n one two\n") == [" one ", "two\n"] * 2
    assert await _said(Simulator(), "/simulate finish=length\none two") == ["one ", "two", Finish("length")]


@pytest.mark.parametrize(
    ("status", "error"), [(429, BotRateLimited), (502, BotFailed), (503, BotUnavailable), (504, BotTimeout)]
)
async def test_the_simulator_fails_as_a_model_would(status: int, error: type[ChatError]) -> None:
    """Before the first delta, or after the given number."""
    with pytest.raises(error):
        await _said(Simulator(), f"/simulate status={status}\nhello")


@pytest.mark.parametrize("count", [0, 1, 3, 9])
async def test_the_simulator_breaks_off_after_some_deltas(count: int) -> None:
    """If there are fewer, at the end."""
    said = await _said_until(BotFailed, f"/simulate fail_after={count}\none two three four")
    assert said == ["one ", "two ", "three ", "four"][:count]


@pytest.mark.parametrize("count", [0, 1, 3, 9])
async def test_the_simulator_falls_silent_after_some_deltas(count: int) -> None:
    """For ever."""
    with anyio.move_on_after(0.02) as waiting:
        said = await _said_until(anyio.get_cancelled_exc_class(), f"/simulate stall_after={count}\none two three four")
    assert waiting.cancel_called
    assert said == ["one ", "two ", "three ", "four"][:count]


async def _said_until(error: type[BaseException], message: str) -> list[str | Usage | Finish]:
    said: list[str | Usage | Finish] = []
    deltas = Simulator().reply(Conversation((Message("user", message),)))
    try:
        while True:
            said.append(await anext(deltas))
    except error:
        return said


@pytest.mark.parametrize(
    ("message", "simulation", "text"),
    [
        ("hello", Simulation(), "hello"),
        ("/simulated", Simulation(), "/simulated"),
        (" /simulate chunk=1\nx", Simulation(), " /simulate chunk=1\nx"),
        ("x\n/simulate chunk=1", Simulation(), "x\n/simulate chunk=1"),
        ("/simulate", Simulation(), ""),
        ("/simulate\nx", Simulation(), "x"),
        ("/simulate chunk=1", Simulation(chunk=1), ""),
        ("/simulate chunk=1\r\n\nx", Simulation(chunk=1), "\nx"),
        ("/simulate chunk=1\rx", Simulation(chunk=1), "x"),
        ("/simulate\tpace_ms=5   first_ms=0 \nx", Simulation(pace_ms=5), "x"),
        ("/simulate repeat=3 repeat=4\nx", Simulation(repeat=4), "x"),
        (
            "/simulate finish=length status=503 stall_after=0\nx",
            Simulation(finish="length", status=503, stall_after=0),
            "x",
        ),
    ],
)
def test_directives_that_are_understood(message: str, simulation: Simulation, text: str) -> None:
    """Only the first line can be one."""
    understood, start = parse(message)
    assert (understood, message[start:]) == (simulation, text)


@pytest.mark.parametrize(
    "directive",
    [
        "chunk",
        "chunk=",
        "chunk=0",
        "chunk=-1",
        "chunk=1.5",
        "chunk=１",
        "chunk=99999999999999999999",
        "repeat=0",
        "repeat=1001",
        "status=500",
        "status=200",
        "finish=stopped",
        "pace_ms=600001",
        "what=1",
        "=1",
        "chunk=1 please",
    ],
)
def test_directives_that_are_not_understood_are_refused_with_what_there_is(directive: str) -> None:
    """A typo must not look like an echo; the refusal repeats nothing of the message."""
    with pytest.raises(MessageRefused) as refused:
        parse(f"/simulate {directive}\nx")
    assert "pace_ms, first_ms, stall_after" in refused.value.reason
    assert "please" not in refused.value.reason
