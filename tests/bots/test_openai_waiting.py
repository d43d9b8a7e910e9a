"""How long the bot waits: for a connection, the head, the next byte, and what may follow the end."""

import asyncio
import socket
import time

import anyio
import pytest

from app.bots.body import Patience
from app.bots.engine import EngineClient
from app.bots.openai import OpenAI
from app.bots.request import Engine
from app.chat.errors import BotUnavailable
from app.chat.model import Finish
from tests.bots.asking import ask, asking, hear
from tests.support.completions import DONE, begun, chunk, finish, stream
from tests.support.engine import RESET, FakeEngine, Step

_HI, _THERE = chunk("Hi "), chunk("there!")


@pytest.mark.parametrize("behind", [[], [DONE]], ids=["before [DONE]", "behind [DONE]"])
@pytest.mark.parametrize("ending", [[], [RESET]], ids=["silent", "resets"])
async def test_nothing_behind_the_finish_reason_is_waited_for_long(behind: list[Step], ending: list[Step]) -> None:
    """Only the usage may follow: after two seconds of silence the reply is done, and the connection is closed."""
    engine = FakeEngine([*begun(_HI, _THERE, finish(), *behind), 0.05, *ending])
    async with asking(engine, between_bytes_seconds=3600) as bot:
        heard = await ask(bot)
        assert (heard.error, heard.text, heard.finish) == (None, "Hi there!", Finish("stop"))
        with anyio.fail_after(60):
            await engine.until(lambda: engine.open == 0)


async def test_a_slow_engine_that_is_never_silent_for_long_is_heard_to_its_end() -> None:
    """Each silence is limited, not the whole reply; comments end a silence, too."""
    slowly: list[Step] = [step for text in "abcd" for step in (chunk(text), 0.15, b": still here\n\n", 0.15)]
    heard, _ = await hear(stream(*slowly, finish(), DONE), between_bytes_seconds=0.9)
    assert (heard.error, heard.text) == (None, "abcd")


async def test_a_host_that_does_not_answer_is_unavailable() -> None:
    """Its backlog is full, so that not even the connection is made."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.settimeout(0)
                filler.connect_ex(("127.0.0.1", port))
            async with OpenAI(Engine(base_url=f"http://127.0.0.1:{port}/v1", model="m", connect_seconds=0.1)) as bot:
                assert type((await ask(bot)).error) is BotUnavailable
        finally:
            for filler in fillers:
                filler.close()


@pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"use_uvloop": uses}) for uses in (False, True)], ids=["asyncio", "uvloop"]
)
@pytest.mark.parametrize("seconds", [0.1, 0.3], ids=["before", "behind"])
async def test_a_reader_that_is_cancelled_as_it_is_woken_up_is_cancelled(seconds: float) -> None:
    """The loop is late, so that both happen in one turn of it."""
    async with (
        FakeEngine(begun()) as engine,
        EngineClient(Engine(base_url=engine.url, model="m", look_seconds=0.2)) as client,
    ):
        with client.body(await client.complete({}, {})) as body:
            assert await body.read(Patience(60)) is None  # woken up and not cancelled
            reading = asyncio.create_task(body.read(Patience(60)))
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(seconds, reading.cancel)
            time.sleep(0.5)  # noqa: ASYNC251 - the point of the test
            with anyio.fail_after(60), pytest.raises(asyncio.CancelledError):
                await reading
