"""All trials, in the order of the table, and how one engine goes through them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import httpx

from .cancelling import ending, queued, reading, speaking
from .crowd import eight_users
from .lab import Lab
from .limits import long_conversation, long_message
from .operating import no_model, restart, wrong_key, wrong_model
from .outcome import TrialFailed
from .sampling import stop, temperature
from .talking import max_tokens, streaming, turns

TRIAL_SECONDS = 300
_MOST_DEATHS = 2
_NO_END = f"NO END within {TRIAL_SECONDS} s"

TRIALS: Mapping[str, Callable[[Lab], Awaitable[str]]] = {
    "A reply is streamed": streaming,
    "Three turns": turns,
    "No `CHAT_OPENAI_MODEL`": no_model,
    "Cancelled while it waits for its turn": queued,
    "Cancelled while its prompt is read": reading,
    "Cancelled in the middle": speaking,
    "Cancelled at the end": ending,
    "A message longer than the context": long_message,
    "A conversation longer than the context": long_conversation,
    "`stop`": stop,
    "`CHAT_MAX_TOKENS`": max_tokens,
    "`CHAT_TEMPERATURE`": temperature,
    "A wrong key": wrong_key,
    "A wrong model": wrong_model,
    "Eight users at the same time": eight_users,
    "The engine is killed and started again": restart,
}
"""By what they are called in the table."""


async def tried(lab: Lab, names: list[str]) -> dict[str, str]:
    """What came of each of these trials. One that fails does not keep the others from being made.

    Raises `TrialFailed` if the engine does not survive them.
    """
    results: dict[str, str] = {}
    deaths = 0
    for number, name in enumerate(names, 1):
        lab.report(f"{number}/{len(names)} {name} ...")
        results[name] = await _one(lab, name)
        if results[name] == _NO_END:  # it may still be at it
            lab.worker.kill()
            await lab.worker.start(lab.report)
        elif ended := lab.worker.ended:
            deaths += 1
            if deaths > _MOST_DEATHS:
                raise TrialFailed(f"it ends again and again: {ended}\n{lab.worker.tail()}")
            results[name] = f"THE ENGINE ENDED: {ended}"
            await lab.worker.start(lab.report)
        lab.report(f"{number}/{len(names)} {name}: {results[name]}")
    return results


async def _one(lab: Lab, name: str) -> str:
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            return await TRIALS[name](lab)
    except TimeoutError:
        return _NO_END
    except (TrialFailed, httpx.HTTPError, ExceptionGroup) as error:
        first: BaseException = error
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if not isinstance(first, TrialFailed | httpx.HTTPError):
            raise
        return str(first).partition("\n")[0] or type(first).__name__
