"""Any text comes back exactly, whatever noise an engine adds, and wherever the network splits it."""

import json
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bots.openai import OpenAI
from app.bots.request import Engine
from app.chat.model import Finish
from app.chat.white_space import WHITE_SPACE
from tests.bots.asking import USAGE, ask
from tests.support.completions import DONE, Framing, choice, completion, finish, said, stream, usage
from tests.support.engine import FakeEngine, Step
from tests.support.texts import pieces, texts

_NOISE = [
    b": keep-alive\n\n",
    b":\n",
    b"\n",
    b"event: ping\n\n",
    b"id: 7\n",
    b"retry: 1\n\n",
    b"event: message\n",
    b"data:\n\n",
    said(),
    said(content=None),
    said(content="", reasoning_content="no\r\nword: data: x\n\n"),
    json.dumps(completion()).join(["data: ", "\n\n"]).encode(),
    json.dumps(completion(choice({"content": "of another"}, "stop", index=1))).join(["data:", "\n\n"]).encode(),
    b'data: {"choices": null}\n\n',
    usage(1, 1),
]
_LINE_ENDS = [b"\n", b"\r\n", b"\r"]


@dataclass(frozen=True, slots=True)
class _Manner:
    """How an engine formats an event."""

    is_ascii: bool
    """Whether the JSON is ASCII, with escapes."""
    prefix: bytes
    indent: int | None
    """JSON over several lines, or on one."""
    line_end: bytes
    noise: bytes
    """Sent before the event."""

    def event(self, delta: str) -> bytes:
        data = json.dumps(completion(choice({"content": delta})), ensure_ascii=self.is_ascii, indent=self.indent)
        lines = b"".join(self.prefix + line + b"\n" for line in data.encode().split(b"\n"))
        return (self.noise + lines + b"\n").replace(b"\n", self.line_end)


_manners = st.builds(
    _Manner,
    is_ascii=st.booleans(),
    prefix=st.sampled_from([b"data: ", b"data:"]),
    indent=st.sampled_from([None, None, 0]),
    line_end=st.sampled_from(_LINE_ENDS),
    noise=st.one_of(st.just(b""), st.sampled_from(_NOISE)),
)


def _halved(text: str) -> str:
    """Characters beyond the BMP as surrogate pairs, between which a delta may end."""
    units = text.encode("utf-16-le")
    return "".join(chr(int.from_bytes(units[n : n + 2], "little")) for n in range(0, len(units), 2))


@st.composite
def _responses(draw: st.DrawFn) -> tuple[str, list[Step]]:
    text = draw(texts.filter(lambda text: text.strip(WHITE_SPACE + "\0")))
    halve = draw(st.booleans())
    events = []
    for delta in draw(pieces(_halved(text) if halve else text)):
        manner = draw(_manners)
        if any("\ud800" <= character <= "\udfff" for character in delta):
            manner = replace(manner, is_ascii=True)
        events.append(manner.event(delta))
    ending = draw(st.sampled_from([[], [DONE], [b": bye\n\n", DONE]]))
    framing: Framing = draw(st.sampled_from(["chunked", "length", "close"]))
    steps = stream(*events, finish(), usage(7, 3), *ending, framing=framing)
    return text, list(_cut(steps, draw(st.lists(st.integers(0, 10_000), max_size=30))))


def _cut(steps: list[Step], places: list[int]) -> Iterator[Step]:
    """The same bytes in different TCP segments."""
    data = b"".join(step for step in steps if isinstance(step, bytes))
    starts = sorted({0, *(place % len(data) for place in places)})
    yield from (data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True))
    yield from (step for step in steps if not isinstance(step, bytes))


@pytest.fixture(scope="module")
async def engine() -> AsyncGenerator[FakeEngine, None]:
    """One for all examples."""
    async with FakeEngine() as engine:
        yield engine


@pytest.fixture(scope="module")
async def bot(engine: FakeEngine) -> AsyncGenerator[OpenAI, None]:
    """One for all examples."""
    async with OpenAI(Engine(base_url=engine.url, model="m")) as bot:
        yield bot


@settings(settings.get_profile("laws"))
@given(response=_responses())
async def test_any_text_comes_back_exactly(engine: FakeEngine, bot: OpenAI, response: tuple[str, list[Step]]) -> None:
    """In any deltas, event formats and TCP segments."""
    text, steps = response
    engine.answers(steps)
    heard = await ask(bot)
    assert (heard.error, heard.text) == (None, text)
    assert heard.finish == Finish("stop", USAGE)
