"""Trials of the stop button: when a user cancels, how long does the engine go on working?"""

import asyncio
import random
from contextlib import aclosing
from time import perf_counter

from .lab import Lab
from .talk import Client, Heard

_STORY = "Write a very long story about a ship."
_SEA = "Tell me about the sea."
_MOST_SECONDS = 60
_QUEUED_SECONDS = 5
_WORDS_BEFORE = 5
_PROMPT_WORDS = 700
"""They and a long reply fit into the context."""

_VOCABULARY = ("sea", "ship", "sail", "wind", "rope", "deck", "mast", "crew", "wave", "port", "dawn", "dusk", "bird")


async def queued(lab: Lab) -> str:
    """A reply that waits for its turn is cancelled, and then those that it has waited for."""
    busy = lab.engine.slots or 3
    client = await lab.lengthy_service()
    async with asyncio.TaskGroup() as group:
        others = [_Running(client, f"{_STORY} It has {number} masts.") for number in range(2, busy + 2)]
        for other in others:
            group.create_task(other.run())
            await other.first_word.wait()
        last = _Running(client, f"{_STORY} It is green.")
        group.create_task(last.run())
        await last.accepted.wait()
        does_wait = not await _within(_QUEUED_SECONDS, last.first_word)
        for running in (last, *others):
            await client.cancel(running.heard.reply_id)
        seconds = await lab.worker.seconds_until_idle(_MOST_SECONDS)
    return _verdict(seconds) if does_wait else f"does not wait: {busy + 1} replies at the same time"


async def reading(lab: Lab) -> str:
    """A reply is cancelled while the engine reads its prompt, after another one has shown how long that takes."""
    client = await lab.lengthy_service()
    whole, running = _Running(client, _long_prompt()), _Running(client, _long_prompt())
    async with asyncio.TaskGroup() as group:
        begin = perf_counter()
        group.create_task(whole.run())
        await whole.first_word.wait()
        takes = perf_counter() - begin
        await client.cancel(whole.heard.reply_id)
        await lab.worker.seconds_until_idle(_MOST_SECONDS)
        group.create_task(running.run())
        await running.accepted.wait()
        is_quick = await _within(0.3, running.first_word)
        await client.cancel(running.heard.reply_id)
        seconds = await lab.worker.seconds_until_idle(_MOST_SECONDS)
    return "reads too fast to tell" if is_quick else f"{_verdict(seconds)}; reading takes {takes:.0f} s"


async def speaking(lab: Lab) -> str:
    """A reply is cancelled after some words."""
    client = await lab.lengthy_service()
    heard = Heard()
    async with aclosing(client.listen(heard, _STORY)) as moments:
        async for _ in moments:
            if len(heard.words) >= _WORDS_BEFORE:
                break
        await client.cancel(heard.reply_id)
        seconds = await lab.worker.seconds_until_idle(_MOST_SECONDS)
    return _verdict(seconds)


async def ending(lab: Lab) -> str:
    """A reply is cancelled with its last word on the way; then comes another one."""
    client = await lab.ordinary_service()
    whole = await client.ask(_SEA)
    heard = Heard()
    async with aclosing(client.listen(heard, _SEA)) as moments:
        async for _ in moments:
            if len(heard.words) == len(whole.words) - 1:
                await client.cancel(heard.reply_id)
    seconds = await lab.worker.seconds_until_idle(_MOST_SECONDS)
    following = await client.ask("Tell me about the wind.")
    works = "the next reply works" if following.end == "done" else f"the next reply: {following.outcome}"
    return f"{_verdict(seconds)}; {works}"


class _Running:
    """A reply that a task listens to."""

    def __init__(self, client: Client, message: str) -> None:
        self._client = client
        self._message = message
        self.heard = Heard()
        self.accepted = asyncio.Event()
        """There is a status, and an id to cancel it by."""
        self.first_word = asyncio.Event()
        """There is one, or there will be none."""

    async def run(self) -> None:
        async with aclosing(self._client.listen(self.heard, self._message)) as moments:
            async for _ in moments:
                self.accepted.set()
                if self.heard.words:
                    self.first_word.set()
        self.accepted.set()
        self.first_word.set()


def _long_prompt() -> str:
    return " ".join(random.choices(_VOCABULARY, k=_PROMPT_WORDS))  # noqa: S311 - no secret


async def _within(seconds: float, event: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _verdict(seconds: float | None) -> str:
    if seconds is None:
        return f"WORKS ON, more than {_MOST_SECONDS} s"
    return "idle at once" if seconds < 1 else f"idle after {seconds:.0f} s"
