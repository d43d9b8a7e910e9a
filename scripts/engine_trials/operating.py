"""Trials of what operators do to an engine: restart it, and set the wrong key or model."""

from contextlib import aclosing

from .lab import SHORT_TOKENS, Lab
from .talk import Heard

_WORDS_BEFORE = 5


async def restart(lab: Lab) -> str:
    """It is killed in the middle of a reply, missed, and started again; the service is not."""
    engine = lab.worker
    client = await lab.lengthy_service()
    heard = Heard()
    async with aclosing(client.listen(heard, "Write a very long story about a ship.")) as moments:
        async for _ in moments:
            if len(heard.words) >= _WORDS_BEFORE:
                engine.kill()
    ordinary = await lab.ordinary_service()
    missed = await ordinary.ask("hello")
    await engine.start(lab.report)
    again = await ordinary.ask("hello")
    after = "works" if again.end == "done" else again.outcome
    return f"{heard.outcome}; while it is down {missed.outcome}; then {after}"


async def wrong_key(lab: Lab) -> str:
    """What the user sees."""
    heard = await (await lab.service(openai_api_key="wrong", max_tokens=SHORT_TOKENS)).ask("hello")
    return "takes any key" if heard.end == "done" else heard.outcome


async def wrong_model(lab: Lab) -> str:
    """Likewise."""
    heard = await (await lab.service(openai_model="no-such-model", max_tokens=SHORT_TOKENS)).ask("hello")
    return "takes any name" if heard.end == "done" else heard.outcome


async def no_model(lab: Lab) -> str:
    """What comes of leaving `CHAT_OPENAI_MODEL` unset."""
    heard = await (await lab.service(openai_model=None, temperature=0, max_tokens=SHORT_TOKENS)).ask("hello")
    return "works" if heard.end == "done" else heard.outcome
