"""Responses of OpenAI-compatible engines, as scripts for `tests.support.engine`."""

import json
from collections.abc import Mapping
from typing import Literal

from tests.support.engine import CLOSE, End, Step

Framing = Literal["chunked", "length", "close"]
"""How the end of a body is marked: by an empty chunk, by its length, or by closing the connection."""

DONE = b"data: [DONE]\n\n"
LAST_CHUNK = b"0\r\n\r\n"


def completion(*choices: object, **more: object) -> dict[str, object]:
    """The JSON of an event with these choices."""
    named = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return named | {"choices": list(choices)} | more


def choice(delta: object, finish_reason: str | None = None, index: int = 0) -> dict[str, object]:
    """One choice of an event."""
    return {"index": index, "delta": delta, "finish_reason": finish_reason}


def event(data: object) -> bytes:
    """An event with JSON in it."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def said(**delta: object) -> bytes:
    """An event with this delta."""
    return event(completion(choice(delta)))


def chunk(text: str) -> bytes:
    """An event with a piece of the text."""
    return said(content=text)


def finish(reason: str = "stop", **delta: object) -> bytes:
    """The event with the finish reason."""
    return event(completion(choice(delta, reason)))


def counts(prompt_tokens: int, completion_tokens: int) -> dict[str, object]:
    """Usage, with details that the service ignores."""
    total = {"total_tokens": prompt_tokens + completion_tokens, "prompt_tokens_details": {"cached_tokens": 0}}
    return {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens} | total


def usage(prompt_tokens: int, completion_tokens: int) -> bytes:
    """The event that OpenAI sends last on request: usage without a choice."""
    return event(completion(usage=counts(prompt_tokens, completion_tokens)))


def whole(text: str, reason: str = "stop", **more: object) -> dict[str, object]:
    """The completion as one object, from an engine that does not stream."""
    message = {"role": "assistant", "content": text}
    return completion({"index": 0, "message": message, "finish_reason": reason}, object="chat.completion", **more)


def head(status: int = 200, headers: Mapping[str, object] | None = None) -> bytes:
    """The head of a response."""
    lines = [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, "", ""]).encode()


def framed(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def answer(status: int, body: object = b"", headers: Mapping[str, object] | None = None) -> list[Step]:
    """A complete response that is not a stream. A body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [head(status, {"Content-Type": "application/json", "Content-Length": len(data)} | dict(headers or {})), data]


def stream(*steps: Step, framing: Framing = "chunked", headers: Mapping[str, object] | None = None) -> list[Step]:
    """A response with these events: complete, unless the last step closes the connection."""
    shape: dict[Framing, dict[str, object]] = {
        "chunked": {"Transfer-Encoding": "chunked"},
        "length": {"Content-Length": sum(len(step) for step in steps if isinstance(step, bytes))},
        "close": {"Connection": "close"},
    }
    begin = head(200, {"Content-Type": "text/event-stream"} | shape[framing] | dict(headers or {}))
    if framing != "chunked":
        return [begin, *steps, *([CLOSE] if framing == "close" else [])]
    last: list[Step] = [] if steps and isinstance(steps[-1], End) else [LAST_CHUNK]
    return [begin, *(framed(step) if isinstance(step, bytes) else step for step in steps), *last]


def begun(*steps: Step) -> list[Step]:
    """A response with these events and without an end."""
    return stream(*steps)[:-1]


def speaks(*texts: str) -> list[Step]:
    """A well-formed response."""
    return stream(*map(chunk, texts), finish(), DONE)


def in_pieces(steps: list[Step], size: int = 1) -> list[Step]:
    """The same bytes, in writes of this size."""
    pieces: list[Step] = []
    for step in steps:
        if isinstance(step, bytes):
            pieces += [step[start : start + size] for start in range(0, len(step), size)]
        else:
            pieces.append(step)
    return pieces
