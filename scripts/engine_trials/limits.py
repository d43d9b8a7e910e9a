"""Trials of what is longer than the model's context."""

from . import direct
from .lab import SHORT_TOKENS, Lab

_DIGITS = "1234567890"
"""Each is a token of its own for the model of the trials."""

_UNLIMITED_TOKENS = 9_000
"""More than the model was made for."""


async def long_message(lab: Lab) -> str:
    """What the engine says to one, and what the user sees."""
    tokens = 2 * lab.engine.context_tokens if lab.engine.context_tokens else _UNLIMITED_TOKENS
    message = _DIGITS * (tokens // len(_DIGITS))
    said = await direct.ask(lab, message, SHORT_TOKENS)
    heard = await (await lab.ordinary_service()).ask(message)
    limit = "" if lab.engine.context_tokens else "no limit: "
    return f"{limit}{said.outcome}; the user gets {heard.outcome}"


async def long_conversation(lab: Lab) -> str:
    """Each of four messages takes two fifths of the context."""
    if not lab.engine.context_tokens:
        return "no limit"
    message = _DIGITS * (2 * lab.engine.context_tokens // 5 // len(_DIGITS))
    conversation_id = None
    omitted = 0
    client = await lab.ordinary_service()
    for turn in range(1, 5):
        heard = await client.ask(message, conversation_id)
        if heard.end != "done":
            return f"turn {turn}: {heard.outcome}"
        conversation_id = heard.said["conversation_id"]
        omitted = heard.said.get("omitted_messages", 0)
    return f"goes on without the oldest {omitted} messages" if omitted else "goes on; what is cut off is not told"
