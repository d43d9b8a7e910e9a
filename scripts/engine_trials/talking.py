"""Trials of what everybody does: a streamed reply, and a conversation of three turns."""

from itertools import pairwise

from .lab import SHORT_TOKENS, Lab
from .talk import Heard

_TURNS = ("My name is Ada.", "I live in London.", "What did I tell you?")


async def streaming(lab: Lab) -> str:
    """Two replies: one that runs into the limit, and one that the model ends by itself."""
    client = await lab.ordinary_service()
    cut, ended = await client.ask("Tell me about the sea."), await client.ask("hello")
    if cut.end != "done":
        return cut.outcome
    pieces = f"{cut.usage.get('completion_tokens', SHORT_TOKENS)} tokens in {cut.reads} pieces"
    usage = "usage" if cut.usage and ended.usage else "no usage"
    return f"{pieces}; {usage}; {cut.outcome} and {ended.outcome}"


async def turns(lab: Lab) -> str:
    """The model is given more with each turn, by its own count or, without one, by what it says."""
    heard: list[Heard] = []
    client = await lab.ordinary_service()
    for question in _TURNS:
        conversation_id = heard[-1].said["conversation_id"] if heard else None
        heard.append(await client.ask(question, conversation_id))
        if heard[-1].end != "done":
            return f"turn {len(heard)}: {heard[-1].outcome}"
    counts = [reply.usage.get("prompt_tokens", 0) for reply in heard]
    if not all(counts):
        alone = await client.ask(_TURNS[-1])
        return "LOSES HISTORY" if alone.text == heard[-1].text else "works: without them, the reply is another one"
    verdict = "works" if all(more > less for less, more in pairwise(counts)) else "LOSES HISTORY"
    return f"{verdict}: prompts of {', '.join(map(str, counts))} tokens"


async def max_tokens(lab: Lab) -> str:
    """By the engine's own count."""
    heard = await (await lab.ordinary_service()).ask("Tell me about the wind.")
    count = heard.usage.get("completion_tokens")
    if heard.said.get("finish_reason") == "length" and count in {SHORT_TOKENS, None}:
        return "works"
    return f"{count} tokens for {SHORT_TOKENS}; {heard.outcome}"
