"""Checks whether a raw HTTP response in OpenAI's dialect has the expected text.

The counterpart of `transcript` for engines and gateways, which may split the text into tokens as they like.
"""

import json
from typing import Any

from .transcript import WrongAnswer, body, read_events


def check(raw: bytes, words: list[str], *, whole: bool) -> list[int]:
    """For each word, the number of the event that completes it. Raises `WrongAnswer`: see `transcript.check`.

    A word is complete when the next one begins or the text ends, which is when the service can send it, too.
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
    """A chunk's text and finish reason."""
    try:
        chunk: dict[str, Any] = json.loads(data)
        if not chunk["choices"]:  # the usage
            return "", None
        choice = chunk["choices"][0]
        return choice["delta"].get("content") or "", choice.get("finish_reason")
    except (ValueError, TypeError, LookupError, AttributeError):
        raise WrongAnswer(f"not a completion chunk: {data[:300]!r}") from None
