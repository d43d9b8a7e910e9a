"""Words leave in the step in which they are generated, if the server can write then; the stream is the same if not."""

import asyncio
from collections.abc import AsyncGenerator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.model import Conversation, Finish
from app.main import create_app
from tests.support.asgi import Client
from tests.support.bots import Script, ScriptedBot
from tests.support.settings import Settings

_ASK = {"user_message": "go on"}
_NEXT_SECONDS = 0.002
"""Longer than words wait for each other, see `app.http.reader`."""


class _Service:
    """One application for all examples; `accepts` says, for each piece, whether the server writes it at once."""

    def __init__(self) -> None:
        self.bot = ScriptedBot(_words([], 0))
        self.accepts: Iterator[bool] = iter(())
        self.written = 0
        self.client = Client(create_app(Settings(), self.bot), writes=self._writes)

    def _writes(self) -> bool:
        does = next(self.accepts, True)
        self.written += does
        return does


@pytest.fixture(scope="module")
async def service() -> AsyncGenerator[_Service, None]:
    """One application for all examples."""
    service = _Service()
    async with service.client:
        yield service


def _words(deltas: list[str], pause_seconds: float) -> Script:
    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        for delta in deltas:
            yield delta
            await asyncio.sleep(pause_seconds)

    return script


async def test_a_word_leaves_in_the_step_in_which_it_was_generated(service: _Service) -> None:
    """The bot has not even been resumed: no task was woken."""
    seen: list[int] = []

    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        yield "This is the first "
        yield "and this "
        for _number in range(3):
            await asyncio.sleep(0.05)  # until the status line is sent, at least
            before = service.written
            yield "another "
            seen.append(service.written - before)

    service.bot.script = script
    answer = await service.client.request("POST", "/api/chat", json=_ASK)
    assert answer.transcript().reply.text == "This is the first and this another another another "
    assert seen[1:] == [1, 1]


async def test_all_of_a_large_delta_leaves_without_waiting_for_the_next(service: _Service) -> None:
    """There is a limit to what is read at once."""
    received = asyncio.Event()

    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        yield "This is first. "
        await asyncio.sleep(0.05)
        yield "x " * 3000
        await received.wait()

    service.bot.script = script
    async with service.client.stream("POST", "/api/chat", json=_ASK) as response:
        async with asyncio.timeout(10):  # less than the time to a keep-alive, which would wake the reader
            async for chunk in response.chunks():
                if b":3002\n" in chunk:
                    received.set()
    assert received.is_set()


@given(
    st.lists(st.text("ab \n\u00e9\u4e2d", min_size=1, max_size=6), min_size=1, max_size=12),
    st.sampled_from([0, _NEXT_SECONDS]),
    st.lists(st.booleans(), max_size=12),
)
async def test_a_stream_is_the_same_whatever_the_server_accepts(
    service: _Service, deltas: list[str], pause_seconds: float, accepts: list[bool]
) -> None:
    """No word is lost, doubled or reordered between the two ways that it may take."""
    service.bot.script = _words(["a", *deltas], pause_seconds)
    service.accepts = iter(accepts)
    answer = await service.client.request("POST", "/api/chat", json=_ASK)
    assert answer.transcript().reply.text == "a" + "".join(deltas)
