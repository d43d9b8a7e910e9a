"""What clients do, one function each. All raise `Wrong` where they see what must never be."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

from .bad import misbehave
from .client import PATIENCE_SECONDS, Client, Reading, Wrong

POLL_SECONDS = 2.0


async def read(client: Client, reading: Reading, _: int) -> None:
    """Read the reply to its end."""
    await client.read(reading)
    await client.stored(reading)


async def resume(client: Client, reading: Reading, words: int) -> None:
    """Cut the connection up to three times, and go on at another address, with either request."""
    for cut in sorted(random.sample(range(1, words), min(3, words - 1))):
        await client.read(reading, until=cut, get=random.random() < 0.5)  # noqa: PLR2004, S311 - half of them
    await client.read(reading)
    await client.stored(reading)


async def watch(client: Client, reading: Reading, _: int) -> None:
    """Read the reply twice at the same time, the second time from another address."""
    second = Reading(reading.message, reading.expected, reading.key)

    await client.read(reading, until=1)  # then there is a reply to attach to
    async with asyncio.TaskGroup() as group:
        group.create_task(client.read(reading))
        group.create_task(client.read(second))
    if second.text != reading.text or second.reply_id != reading.reply_id:
        raise Wrong("two readers, two texts", f"{second.text!r} and {reading.text!r}")
    await client.stored(reading)


async def cancel(client: Client, reading: Reading, words: int) -> None:
    """Cancel it after some words: what was said stays."""
    await client.read(reading, until=random.randrange(1, words))  # noqa: S311
    await client.json("POST", f"/api/replies/{reading.reply_id}/cancel")
    await client.read(reading)
    await client.stored(reading)


async def leave(client: Client, reading: Reading, words: int) -> None:
    """Leave for good: the reply ends by itself, and what is stored begins with what was read."""
    await client.read(reading, until=random.randrange(1, words))  # noqa: S311
    begun = monotonic()
    while (reply := await client.json("GET", f"/api/replies/{reading.reply_id}"))["state"] == "running":
        if monotonic() - begun > PATIENCE_SECONDS:
            raise Wrong("never abandoned", reply)
        await asyncio.sleep(POLL_SECONDS)
    if not reply["text"].startswith(reading.text):
        raise Wrong("stored otherwise", f"{reply['text']!r} does not begin with {reading.text!r}")
    reading.end = reply


async def bad(client: Client, reading: Reading, _: int) -> None:
    """Send what a broken or hostile client sends."""
    await misbehave(client, reading)


BEHAVIOURS: Mapping[str, Callable[[Client, Reading, int], Awaitable[None]]] = {
    "read": read,
    "resume": resume,
    "watch": watch,
    "cancel": cancel,
    "leave": leave,
    "bad": bad,
}
MIX = {"read": 60, "resume": 15, "watch": 5, "cancel": 5, "leave": 5, "bad": 10}
"""How many of a hundred clients do what."""
