"""Trials of fields that an engine may accept and not follow: `stop`, `temperature`."""

import json
import re

from .lab import SHORT_TOKENS, Lab

_QUESTION = "Tell me about the sea."
_NTH = 4
"""Which word is to stop the reply."""

_TIMES = 3


async def stop(lab: Lab) -> str:
    """A word that the same reply has without it."""
    whole = (await (await lab.ordinary_service()).ask(_QUESTION)).text
    words = [match for match in re.finditer("[A-Za-z]{4,}", whole) if match[0] not in whole[: match.start()]]
    if len(words) <= _NTH:
        return "the reply was too short to tell"
    word = words[_NTH]
    extra = json.dumps({"stop": [word[0]]})
    client = await lab.service(temperature=0, max_tokens=SHORT_TOKENS, openai_extra_body=extra)
    text = (await client.ask(_QUESTION)).text
    before = whole[: word.start()].rstrip()
    if text.rstrip() == before:
        return "works"
    if not text.startswith(before):
        return "the reply was another one, so not known"
    if word[0] not in text:
        return "is cut out, and the reply goes on"
    return "no effect" if text == whole else "ends the reply, but stays in it"


async def temperature(lab: Lab) -> str:
    """Three replies at 0 should be the same, three at 1.8 should not."""
    cold_client, hot_client = await lab.ordinary_service(), await lab.service(temperature=1.8, max_tokens=SHORT_TOKENS)
    cold, hot = [{(await client.ask(_QUESTION)).text for _ in range(_TIMES)} for client in (cold_client, hot_client)]
    if cold == hot:
        return "no effect"
    if len(cold) == 1 and len(hot) > 1:
        return "works"
    return f"of {_TIMES} replies, {len(cold)} differ at 0, and {len(hot)} at 1.8"
