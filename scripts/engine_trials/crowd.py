"""A trial of throughput: eight users at the same time, with the service in front of the engine and without."""

import asyncio
from time import perf_counter

from . import direct
from .lab import Lab
from .outcome import TrialFailed

_USERS = 8
_TOKENS = 20


async def eight_users(lab: Lab) -> str:
    """Direct, through the service, through it, direct: what else the machine does meanwhile slows both."""
    direct_speed = service_speed = 0.0
    client = await lab.service(max_tokens=_TOKENS)

    async def through(message: str) -> int:
        heard = await client.ask(message)
        if heard.end != "done":
            raise TrialFailed(f"one of eight: {heard.outcome}")
        tokens: int = heard.usage.get("completion_tokens", len(heard.words))
        return tokens

    async def straight(message: str) -> int:
        return (await direct.ask(lab, message, _TOKENS)).tokens

    for number, ask in enumerate((straight, through, through, straight)):
        begin = perf_counter()
        messages = [f"Write a long story about ship number {number}{user}." for user in range(_USERS)]
        tokens = sum(await asyncio.gather(*map(ask, messages)))
        speed = tokens / (perf_counter() - begin) / 2
        if ask is straight:
            direct_speed += speed
        else:
            service_speed += speed
    ratio = service_speed / direct_speed if direct_speed else 0.0
    return f"{service_speed:.0f} tokens/s, {ratio:.2f} x direct"
