"""Runs the crowd for a time: so many clients at once, each of which does one thing after another."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

import aiohttp

from .behaviours import BEHAVIOURS
from .client import Client, Reading, Wrong
from .tally import Seen, Tally
from .watching import Usage, Watch

END_SECONDS = 180.0
"""For what still runs when the time is up."""
_REQUEST_SECONDS = 90.0


class Stuck(Exception):
    """Clients did not come to an end."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    addresses: Sequence[str]
    streams: int
    seconds: float
    pace_ms: int
    words: int
    mix: Mapping[str, int]
    """Behaviours and their weights."""
    message: str
    """Empty: numbered words, for the simulator."""
    key: str
    keep: bool
    """Leave the conversations."""
    every_seconds: float
    """Between two looks."""


@dataclass(frozen=True, slots=True)
class Look:
    """A moment of a run."""

    at_seconds: float
    took_seconds: float
    """Since the look before."""
    streams: int
    seen: Seen
    usage: Usage | None


async def run(plan: Plan, watch: Watch, tell: Callable[[Look], None]) -> tuple[Tally, list[Look]]:
    """The whole run. Raises `Stuck`."""
    tally = Tally()
    looks: list[Look] = []
    headers = {"Authorization": f"Bearer {plan.key}"} if plan.key else {}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_REQUEST_SECONDS, sock_read=_REQUEST_SECONDS)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:
        client = Client(session, plan.addresses, plan.pace_ms / 1e3, tally)
        begun, begun_at = monotonic(), datetime.now(UTC).replace(microsecond=0)
        deck = _dealt(plan.mix)
        clients = [asyncio.create_task(_client(client, plan, deck, n, begun)) for n in range(plan.streams)]
        looking = asyncio.create_task(_look(plan, tally, watch, looks, tell, begun))
        try:
            _, stuck = await asyncio.wait(clients, timeout=plan.seconds + END_SECONDS)
            if stuck:
                raise Stuck(f"{len(stuck)} clients did not end within {END_SECONDS:.0f} s")
            for ended in clients:
                ended.result()
            if not plan.keep and not tally.total.errors:
                await _look_for_others(client, begun_at)
        finally:
            for task in (*clients, looking):
                task.cancel()
            await asyncio.gather(*clients, looking, return_exceptions=True)
    return tally, looks


async def _look_for_others(client: Client, begun_at: datetime) -> None:
    """Each client has deleted its conversation. If there is another one, a message was stored twice."""
    try:
        if made := await client.made_since(begun_at):
            client.tally.error("stored twice", f"{len(made)} conversations that no client knows: {made[:3]}")
    except Wrong as wrong:
        client.tally.error(wrong.what, str(wrong))


def _dealt(mix: Mapping[str, int]) -> Iterator[str]:
    """Behaviours for ever: as many of each as its weight, in random order, and then again."""
    cards = [name for name, weight in mix.items() for _ in range(weight)]
    while True:
        yield from random.sample(cards, len(cards))


async def _client(client: Client, plan: Plan, deck: Iterator[str], number: int, begun: float) -> None:
    ramp = min(plan.seconds / 4, plan.words * plan.pace_ms / 1e3)
    await asyncio.sleep(ramp * number / plan.streams)  # or all would be due at the same moments
    round_number = 0
    while monotonic() - begun < plan.seconds:
        round_number += 1
        name = next(deck)
        reading = _reading(plan, f"{number}.{round_number}")
        try:
            await BEHAVIOURS[name](client, reading, plan.words)
            if reading.conversation_id and not plan.keep:
                await client.json("DELETE", f"/api/conversations/{reading.conversation_id}", missing=True)
        except* Wrong as wrongs:
            _tell(client.tally, name, wrongs)
        reason = reading.end.get("finish_reason", reading.end.get("state")) if reading.end else "ended"
        client.tally.ended(f"{name} {reason}")
        if name == "bad":
            await asyncio.sleep(plan.pace_ms / 1e3)


def _reading(plan: Plan, number: str) -> Reading:
    if plan.message:
        return Reading(plan.message, None)
    words = " ".join(f"{number}.{n}" for n in range(1, plan.words + 1))
    return Reading(f"/simulate pace_ms={plan.pace_ms}\n{words}", words)


def _tell(tally: Tally, name: str, wrongs: BaseExceptionGroup[Wrong]) -> None:
    for wrong in wrongs.exceptions:
        if isinstance(wrong, BaseExceptionGroup):
            _tell(tally, name, wrong)
        else:
            tally.error(f"{name}: {wrong.what}", str(wrong))


async def _look(  # noqa: PLR0913, PLR0917 - all that a look needs
    plan: Plan, tally: Tally, watch: Watch, looks: list[Look], tell: Callable[[Look], None], begun: float
) -> None:
    before = begun
    while True:
        await asyncio.sleep(plan.every_seconds)
        usage = await asyncio.to_thread(watch.sample)
        now = monotonic()
        look = Look(now - begun, now - before, tally.open_streams, tally.look(), usage)
        before = now
        looks.append(look)
        tell(look)
