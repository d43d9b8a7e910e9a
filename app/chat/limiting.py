"""Holds a bot to what a request asks: no text from a stop sequence on, and no more tokens than it allows.

Every bot is held to it in the same way, so that none has to know how. Deltas keep their text exactly.
"""

from collections.abc import Sequence
from contextlib import aclosing

from app.chat.model import Finish, Sampling, Usage
from app.chat.ports import Deltas
from app.chat.text import Normaliser
from app.chat.words import WordSplitter


def limited(deltas: Deltas, sampling: Sampling, *, counts_tokens: bool) -> Deltas:
    """The same deltas, cut as `sampling` says; `counts_tokens`: whether the bot itself obeys `max_tokens`."""
    if sampling.stop:
        deltas = _stopped(deltas, sampling.stop)
    if sampling.max_tokens is not None and not counts_tokens:
        deltas = _counted(deltas, sampling.max_tokens)
    return deltas


async def _stopped(deltas: Deltas, stops: Sequence[str]) -> Deltas:
    """Up to the first stop sequence. What may be the beginning of one waits for the next delta."""
    held = ""
    usage: Usage | None = None
    async with aclosing(deltas):
        async for delta in deltas:
            if isinstance(delta, Finish):
                if held:
                    yield held
                yield delta
                return
            if isinstance(delta, Usage):
                usage = delta
                yield delta
                continue
            text = held + delta
            if (end := _first(text, stops)) is not None:
                yield text[:end]
                yield Finish("stop", usage)
                return
            kept = len(text) - max(_beginning(text, stop) for stop in stops)
            held = text[kept:]
            yield text[:kept]
    if held:
        yield held


def _first(text: str, stops: Sequence[str]) -> int | None:
    """Where the stop sequence begins that is complete first, so that it does not matter how the text is split."""
    found = [(place + len(stop), place) for stop in stops if (place := text.find(stop)) >= 0]
    return min(found)[1] if found else None


def _beginning(text: str, stop: str) -> int:
    """How many characters at the end of the text are the beginning of the stop sequence."""
    longest = min(len(stop) - 1, len(text))
    return next((length for length in range(longest, 0, -1) if text.endswith(stop[:length])), 0)


async def _counted(deltas: Deltas, most: int) -> Deltas:
    """So many words, for a bot without tokens."""
    normaliser, splitter = Normaliser(), WordSplitter()
    left = most
    async with aclosing(deltas):
        async for delta in deltas:
            if isinstance(delta, Usage):
                yield delta
                continue
            rest = isinstance(delta, Finish)
            text = normaliser.flush() if isinstance(delta, Finish) else normaliser.feed(delta)
            words = (splitter.feed(text) if text else []) + (splitter.flush() if rest else [])
            yield "".join(words[:left])
            left -= len(words)
            if left < 0:
                yield Finish("length")
                return
            if isinstance(delta, Finish):
                yield delta
                return
    text = normaliser.flush()
    words = (splitter.feed(text) if text else []) + splitter.flush()
    yield "".join(words[:left])
    if len(words) > left:
        yield Finish("length")
