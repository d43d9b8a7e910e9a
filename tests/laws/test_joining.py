"""While the server is behind, words wait for the next ones; never longer than the bound, and never otherwise."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Scope

from app.access.grants import Grant
from app.chat.access import EVERYBODY
from app.chat.model import Done
from app.chat.replies import Replies
from app.chat.running import RunningReply
from app.chat.stored import ReplyRecord
from app.chat.watching import UNMEASURED
from app.eventlog.memory import MemoryReplyLog
from app.http.immediate import offering
from app.http.joining import Joining
from app.http.reader import Reader
from app.http.reading import Reading
from tests.support import virtual_time

_BOUND_SECONDS = 0.04
_PATIENCE_SECONDS = 15.0
_ROUNDING = 1e-9

Pause = tuple[float, bool]
"""Time to the next word, and whether the server is behind from then on."""

pauses = st.lists(st.tuples(st.sampled_from([0.0, 0.0005, 0.002, 0.015, 0.03, 0.05, 0.2]), st.booleans()), max_size=40)


@dataclass
class _Wire:
    """The server's side of a response: when which words left."""

    sends: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)

    def whole_body(self) -> bytes | None:
        return None

    def write(self, body: bytes) -> bool:
        self.sends.append((asyncio.get_running_loop().time(), tuple(body.decode().split())))
        return True

    def when_gone(self, tell: Callable[[], None]) -> None:
        del tell

    def cut_off(self) -> None:
        raise AssertionError


@dataclass
class _Stream:
    """What became of a reply's words: when each was generated, and in which send it left."""

    generated: list[float]
    sends: list[tuple[float, tuple[str, ...]]]
    behind: list[bool]
    """For each word, whether the server was behind."""

    def left(self) -> list[float]:
        return [moment for moment, words in self.sends for _ in words]


async def _streamed(steps: Sequence[Pause]) -> _Stream:
    """Read a reply as `app.http.sse` does."""
    loop = asyncio.get_running_loop()
    wire, joining, log = _Wire(), Joining(_BOUND_SECONDS), MemoryReplyLog()
    record = ReplyRecord("0" * 32, "1" * 32, 0, "hello", 0, EVERYBODY)
    reply = RunningReply(record, log)
    generated: list[float] = []
    behind: list[bool] = []

    async def generate() -> None:
        for number, (pause, is_behind) in enumerate(steps):
            await asyncio.sleep(pause)
            joining.is_on = is_behind
            generated.append(loop.time())
            behind.append(is_behind)
            log.append([f"{number} "])
        await asyncio.sleep(1)
        log.close(Done("", "stop"))

    async def receive() -> Message:
        raise AssertionError

    scope: Scope = {"extensions": offering(wire)}
    replies = cast("Replies", SimpleNamespace(measures=UNMEASURED))  # nothing is released here
    reading = Reading(replies, reply, Grant(EVERYBODY))
    async with Reader(reading, scope, receive, _PATIENCE_SECONDS, joining) as reader:
        joining.is_on = False
        reader.write_as(lambda common, _, words: (common + "".join(words)).encode(), "")
        task = asyncio.create_task(generate())
        end = None
        while end is None:
            words, end = await reader.read()
            if words:
                wire.write("".join(words).encode())
            reader.wait_for(_PATIENCE_SECONDS)
        await task
    return _Stream(generated, wire.sends, behind)


@given(pauses)
def test_no_word_waits_longer_than_the_bound(steps: list[Pause]) -> None:
    """All leave, in order, and each in time."""
    stream = virtual_time.run(_streamed(steps))
    assert [word for _, words in stream.sends for word in words] == [str(number) for number in range(len(steps))]
    waits = [left - made for made, left in zip(stream.generated, stream.left(), strict=True)]
    assert all(wait <= _BOUND_SECONDS + _ROUNDING for wait in waits), waits


@given(pauses)
def test_no_word_waits_while_the_server_keeps_up(steps: list[Pause]) -> None:
    """However fast they follow each other."""
    stream = virtual_time.run(_streamed([(pause, False) for pause, _ in steps]))
    assert stream.left() == stream.generated


def test_words_leave_together_while_the_server_is_behind() -> None:
    """With a hundred words a second, four or five in one send."""
    stream = virtual_time.run(_streamed([(0.01, True)] * 100))
    assert len(stream.sends) <= 26


def test_it_is_noticed_that_the_server_is_behind_and_that_it_no_longer_is() -> None:
    """By how late timers fire."""

    async def work() -> list[bool]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual_time.VirtualLoop)
        joining = Joining(_BOUND_SECONDS)
        joining.enter()
        seen = []
        for stands_still in (0.0, 0.1, 0.0):
            await asyncio.sleep(0.005)
            loop.clock.now += stands_still  # as if something took so long
            await asyncio.sleep(0.001)
            seen.append(joining.is_on)
            await asyncio.sleep(0.04)
        joining.leave()
        return seen

    assert virtual_time.run(work()) == [False, True, False]
