"""Parses a stream of chat completion chunks strictly: `role content* (finish usage? [DONE] | error)`."""

import json
from dataclasses import dataclass
from typing import Any

from tests.support.closed import check_shape
from tests.support.data_only import data_of

_DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Completion:
    """A complete, valid stream, or a finished completion."""

    text: str
    reason: str | None
    """`None` if it failed."""
    usage: dict[str, int] | None
    error: dict[str, Any] | None
    pieces: int
    """How many chunks had text."""


def check_completion(raw: bytes) -> Completion:
    """Check a whole stream against the contract. Raises `AssertionError`."""
    *chunks, last = data_of(raw)
    error = None
    if last != _DONE:
        check_shape("OpenAIErrorResponse", last)
        error = json.loads(last)["error"]
    return _read(chunks, error)


def check_body(raw: bytes) -> Completion:
    """Check a completion in one piece."""
    check_shape("ChatCompletion", raw)
    said = json.loads(raw)
    (choice,) = said["choices"]
    return Completion(choice["message"]["content"], choice["finish_reason"], said.get("usage"), None, 1)


def _read(chunks: list[str], error: dict[str, Any] | None) -> Completion:
    for chunk in chunks:
        check_shape("ChatCompletionChunk", chunk)
    first, *rest = map(json.loads, chunks)
    for chunk in rest:
        same = ("id", "object", "created", "model")
        assert [chunk[name] for name in same] == [first[name] for name in same]
    usage = rest.pop()["usage"] if rest and not rest[-1]["choices"] else None
    assert first["choices"] == [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    reason = None
    if error is None:
        (end,) = rest.pop()["choices"]
        assert end["delta"] == {}
        reason = end["finish_reason"]
        assert reason is not None
    else:
        assert usage is None
    assert all(chunk["choices"] and "usage" not in chunk for chunk in (first, *rest))
    contents = [chunk["choices"][0] for chunk in rest]
    assert all(choice["delta"].keys() == {"content"} and choice["finish_reason"] is None for choice in contents)
    pieces = [choice["delta"]["content"] for choice in contents]
    assert all(pieces), "a chunk has no text"
    return Completion("".join(pieces), reason, usage, error, len(pieces))
