"""Classifies an engine's error, whatever its shape, by its words, numbers and status.

The text of an error is never shown or logged: it may repeat a prompt or a key.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.bots.dialects import Meaning, meaning


@dataclass(frozen=True, slots=True)
class Said:
    """A classified error."""

    meaning: Meaning
    context_tokens: int | None = None
    """The model's context size in tokens, if the error says it."""
    prompt_tokens: int | None = None
    """How many tokens the request had."""
    retry_seconds: float | None = None
    """How long to wait before a retry."""


def understood(status: int | None, error: object) -> Said:
    """Classify an error. `error` is parsed JSON or plain text; `status` is `None` inside a stream."""
    told = list(_told(error))
    text = "\n".join(word for _, word in told)
    means = meaning(text, _code(told) if status is None else status)
    context, prompt = _tokens(told) if means in _OF_LENGTH else (None, None)
    return Said(means, context, prompt, _again(told))


def error_in(chunk: Mapping[str, object]) -> object:
    """The error that a JSON object is or contains, under any of several names; `None` if it is not an error."""
    if error := chunk.get("error"):
        return error if isinstance(error, str) else {**chunk, "error": error}
    if "choices" in chunk:
        return None
    base = chunk.get("base_resp")  # MiniMax, with status 200
    if isinstance(base, dict) and base.get("status_code"):
        return base
    names = ("detail", "errors", "error_msg", "error_message")
    said = any(chunk.get(name) for name in names) or chunk.get("object") == "error"
    return chunk if said or (chunk.get("code") and (chunk.get("message") or chunk.get("msg"))) else None


_OF_LENGTH = frozenset({Meaning.TOO_LONG, Meaning.TOO_MANY_TOKENS})
_ECHOES = frozenset({"input", "body", "request", "messages", "prompt", "ctx", "url", "headers", "choices"})
"""Fields that repeat the request."""
_CODES = frozenset({"code", "status", "status_code", "error_code", "http_status"})
_MOST_CHARACTERS = 2048
_DEPTH = 6


def _told(error: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """All texts and numbers in an error, each with the name of its field."""
    if isinstance(error, dict) and depth < _DEPTH:
        for key, value in error.items():
            if str(key) not in _ECHOES:
                yield from _told(value, str(key), depth + 1)
    elif isinstance(error, list) and depth < _DEPTH:
        for value in error[:20]:
            yield from _told(value, name, depth + 1)
    elif isinstance(error, str | int | float) and not isinstance(error, bool):
        yield name, str(error)[:_MOST_CHARACTERS] if isinstance(error, str) else f"{error:.0f}"


def _code(told: list[tuple[str, str]]) -> int | None:
    codes = (word for name, word in told if name in _CODES and re.fullmatch("[0-9]{3}", word))
    return int(next(codes, 0)) or None


_NUMBER = re.compile(r"(?<![\w.-])[0-9]{1,3}(?:,[0-9]{3})+(?![\w,])|(?<![\w.-])[0-9]{2,8}(?![\w-])")

_STATUSES = frozenset({400, 401, 403, 404, 413, 422, 429, 500, 502, 503})
_BOUND = re.compile(
    r"(?:1\W+|than |equal to \W?|limit of |limit is |length is |maximum of )([0-9]{2,8})\b", re.IGNORECASE
)


def _tokens(told: list[tuple[str, str]]) -> tuple[int | None, int | None]:
    """The model's context size and the request's size, from the numbers in an error about length.

    Of the two largest numbers, the smaller one is the limit. If the error gives a sum, this is slightly too cautious.
    """
    named = {name: int(word) for name, word in told if name in {"n_ctx", "n_prompt_tokens"} and word.isdecimal()}
    if "n_ctx" in named:
        return named["n_ctx"], named.get("n_prompt_tokens")
    words = " ".join(word for name, word in told if name not in _CODES)[:_MOST_CHARACTERS]
    found = {int(number.replace(",", "")) for number in _NUMBER.findall(words)}
    numbers = sorted(found - _STATUSES, reverse=True)
    match numbers:
        case [most, bound, *_]:
            return bound, most
        case [_] if match := _BOUND.search(words.replace(",", "")):
            return int(match[1]), None
        case _:
            return None, None


_AGAIN = re.compile(r"(?:\b(?:again|retry) (?:in|after)|\bwait)\b[^\d-]{0,12}?(?=\.?[0-9])", re.IGNORECASE)
_NUMERAL = r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|\.[0-9]+"
_PART = re.compile(rf"(?:\s*,)?\s*(?:and\s+)?({_NUMERAL})\s*([a-z]+)", re.IGNORECASE)
_BARE = re.compile(rf"\s*({_NUMERAL})[ \t]*(?:$|[\r\n]|[^\w\s:/-](?![0-9]))")
"""A number without a unit, if it is not the beginning of a date, a time or another quantity."""

_UNITS = {
    name: seconds
    for seconds, names in (
        (86_400, "d day days"),
        (3600, "h hr hrs hour hours"),
        (60, "m min mins minute minutes"),
        (1, "s sec secs second seconds"),
        (0.001, "ms msec msecs milli millis millisecond milliseconds"),
    )
    for name in names.split()
}


def _again(told: list[tuple[str, str]]) -> float | None:
    """Seconds until a retry, from texts in errors of hosted APIs: `try again in 1m2.5s`, or Gemini's `retryDelay`."""
    for name, word in told:
        starts = [0] if name in {"retryDelay", "retry_after"} else [match.end() for match in _AGAIN.finditer(word)]
        for start in starts:
            if (seconds := _seconds(word[start:])) is not None:
                return seconds
    return None


def _seconds(span: str) -> float | None:
    """The seconds in the span of time at the beginning of a text; `None` if there is none."""
    seconds, finest, end = 0.0, math.inf, 0
    while (part := _PART.match(span, end)) and 0 < (unit := _UNITS.get(part[2].lower(), 0)) < finest:
        seconds, finest, end = seconds + _number(part[1]) * unit, unit, part.end()
    if end:
        return seconds
    bare = _BARE.match(span)
    return _number(bare[1]) if bare else None


def _number(numeral: str) -> float:
    return float(numeral.replace(",", ""))
