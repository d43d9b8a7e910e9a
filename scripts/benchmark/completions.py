"""Reads one raw HTTP answer in OpenAI's dialect and says whether it is the text that was asked for, or what is wrong.

The counterpart of `transcript` for engines and gateways: how the text is cut into tokens is theirs to choose.
"""

import json
from typing import Any

from .transcript import WrongAnswer, body, read_events


def check(raw: bytes, words: list[str], *, whole: bool) -> list[int]:
    """For each word, the number of the event that completes it. Raises `WrongAnswer`: see `transcript.check`.

    A word is complete when the next one begins, or the text ends: the same moment at which the service can tell it.
    """
    expected = " ".join(words)
    text = ""
    reason: str | None = None
    is_done = False
    completed: list[int] = []
    for number, event in enumerate(read_events(body(raw)) if raw or whole else []):
        if event.data == "[DONE]":
            is_done = True
            continue
        said, finish_reason = read_chunk(event.data)
        text += said
        reason = finish_reason or reason
        complete = len(words) if reason else text.count(" ")
        completed += [number] * (complete - len(completed))
    if not expected.startswith(text):
        raise WrongAnswer(f"the text differs from that sent: ...{text[-40:]!r}")
    if reason is None:
        if whole or is_done:
            raise WrongAnswer(f"no finish reason after {len(completed)} of {len(words)} words")
    elif reason != "stop" or text != expected:
        raise WrongAnswer(f"finish reason {reason} after {len(text)} of {len(expected)} characters")
    elif whole and not is_done:
        raise WrongAnswer("no [DONE]")
    return completed


def read_chunk(data: str) -> tuple[str, str | None]:
    """Its text and its finish reason."""
    try:
        chunk: dict[str, Any] = json.loads(data)
        if not chunk["choices"]:  # the usage
            return "", None
        choice = chunk["choices"][0]
        return choice["delta"].get("content") or "", choice.get("finish_reason")
    except (ValueError, TypeError, LookupError, AttributeError):
        raise WrongAnswer(f"no chunk of a completion: {data[:300]!r}") from None
