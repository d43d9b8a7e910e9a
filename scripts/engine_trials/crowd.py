"""A trial of throughput: eight users at the same time, with the service in front of the engine and without."""

import asyncio
from time import perf_counter

from . import direct
from .lab import Lab
from .outcome import TrialFailed

_USERS = 8
_TOKENS = 20
_ROUNDS = 4


async def eight_users(lab: Lab) -> str:
    """In turns, so that what else the machine does slows both; after a first round that does not count."""
    tokens = {"direct": 0, "service": 0}
    seconds = {"direct": 0.0, "service": 0.0}
    client = await lab.service(max_tokens=_TOKENS)

    async def through(message: str) -> int:
        heard = await client.ask(message)
        if heard.end != "done":
            raise TrialFailed(f"one of eight: {heard.outcome}")
        return heard.usage.get("completion_tokens", len(heard.words))

    async def straight(message: str) -> int:
        return (await direct.ask(lab, message, _TOKENS)).tokens

    for number, (way, ask) in enumerate(
        [("direct", straight), *_ROUNDS * (("service", through), ("direct", straight))]
    ):
        begin = perf_counter()
        messages = [f"Write a long story about ship number {number}{user}." for user in range(_USERS)]
        count = sum(await asyncio.gather(*map(ask, messages)))
        if number:
            tokens[way] += count
            seconds[way] += perf_counter() - begin
    direct_speed, service_speed = (tokens[way] / seconds[way] for way in ("direct", "service"))
    return f"{service_speed:.0f} tokens/s; direct {direct_speed:.0f}"
