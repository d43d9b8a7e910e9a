"""Everything that may go wrong behind the bot, and the expected error, which must not contain the engine's own text.

Everything that an engine sends here, except the reply's text, contains a CANARY.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from app.chat.errors import (
    BotFailed,
    BotMisconfigured,
    BotRateLimited,
    BotTimeout,
    BotUnavailable,
    ChatError,
    MessageRefused,
)
from tests.support.completions import (
    DONE,
    answer,
    begun,
    choice,
    chunk,
    completion,
    event,
    finish,
    framed,
    head,
    stream,
    whole,
)
from tests.support.engine import CLOSE, RESET, Script, Step

CANARY = "engine-canary-7391"

_MIB = 2**20
_ERROR = {"message": f"{CANARY}: sk-live-0", "type": CANARY, "param": CANARY}
_HTML = f"<!doctype html><html><title>{CANARY}</title><p>Sign in, please".encode()
_TRACES = {"Set-Cookie": f"{CANARY}(={CANARY}; Path=/", "X-Trace": CANARY, "Server": CANARY}
"""Headers that libraries tend to warn about and print."""


def _data(text: str) -> bytes:
    return f"data: {text}\n\n".encode()


def _some(piece: bytes, most_bytes: int = 64 * _MIB) -> Iterable[Step]:
    """So much that buffering all of it would show; then silence."""
    return itertools.repeat(piece, most_bytes // len(piece))


NONSENSE: dict[str, list[Step]] = {
    # Without a finish reason the text was cut off, whatever came after it.
    "ends": stream()[1:],
    "ends behind [DONE]": stream(DONE)[1:],
    "ends behind usage": stream(event(completion(usage={"prompt_tokens": 1, "completion_tokens": 1})), DONE)[1:],
    "closes": [CLOSE],
    "closes inside a chunk": [framed(chunk(CANARY))[:-9], CLOSE],
    "closes inside an event": stream(chunk(CANARY)[:-9])[1:],
    "resets": [RESET],
    # This finish reason does not end a text.
    "finish_reason tool_calls": stream(finish("tool_calls"))[1:],
    "finish_reason function_call": stream(finish("function_call"))[1:],
    "finish_reason abort": stream(finish("abort"), DONE)[1:],
    "finish_reason error": stream(finish("error"))[1:],
    "finish_reason unknown": stream(finish(CANARY))[1:],
    # Anything but a chat completion is an error.
    "broken JSON": [framed(_data(f'{{"choices": [{CANARY}'))],
    "words": [framed(_data(CANARY))],
    "HTML in an event": [framed(b"data: " + _HTML + b"\n\n")],
    "JSON: list": [framed(event([CANARY]))],
    "JSON: string": [framed(event(CANARY))],
    "JSON: number": [framed(event(42))],
    "JSON: too deep": [framed(_data('{"choices":' + "[" * 100_000))],
    "choices: string": [framed(event({"choices": CANARY}))],
    "choices: object": [framed(event({"choices": {CANARY: 1}}))],
    "choice: string": [framed(event({"choices": [CANARY]}))],
    "delta: string": [framed(event(completion(choice(CANARY))))],
    "finish_reason: object": [framed(event(completion({"index": 0, "delta": {}, "finish_reason": {CANARY: 1}})))],
    # The engine reports an error itself.
    "an error": [framed(event({"error": _ERROR}))],
    "an error and an end": stream(event({"error": _ERROR}), finish(), DONE)[1:],
    "an error beside choices": [framed(event(completion(choice({"content": CANARY}), error=_ERROR)))],
    "an error as string": [framed(event({"error": CANARY}))],
    "event: error": [framed(b"event: error\n" + event(_ERROR))],
    "event: error with words": [framed(b"event: error\n" + _data(CANARY))],
    "event:error after its data": [framed(event(_ERROR).rstrip() + b"\nevent:error\n\n")],
    "an error with code 400": [framed(event({"error": _ERROR | {"code": 400}}))],
    "an error with code '500'": [framed(event({"error": _ERROR | {"code": "500"}}))],
    "an error with code words": [framed(event({"error": _ERROR | {"code": "server_error"}}))],
    "an error with code null": [framed(event({"error": _ERROR | {"code": None}}))],
    "an error with code list": [framed(event({"error": _ERROR | {"code": [500]}}))],
    "an error with code 10^30": [framed(event({"error": _ERROR | {"code": 10**30}}))],
    "an error with code infinite": [framed(_data(f'{{"error": {{"message": "{CANARY}", "code": 1e999}}}}'))],
    "an error with code NaN": [framed(_data(f'{{"error": {{"message": "{CANARY}", "code": NaN}}}}'))],
    "an error with code 5000 digits": [framed(event({"error": _ERROR | {"code": "5" * 5000}}))],
    # The bot's buffers are bounded.
    "a line above 1 MiB": [framed(b"data: " + CANARY.encode() * 2**16)],
    "a word above 1 MiB": [framed(chunk("x" * _MIB))],
    "a comment above 1 MiB": [framed(b": " + CANARY.encode() * 2**16)],
    "an event above 1 MiB": [*_some(framed(b"data: " + b"x" * 2**16 + b"\n"))],
    "an event of empty lines": [*_some(framed(b"data:\n" * 2**16))],
    # HTTP itself.
    "a chunk without size": [f"{CANARY}\r\n{CANARY}".encode()],
}
"""What may follow the head of a stream, and any text, chunked. Each must become `BotFailed`."""

REPORTED: dict[str, tuple[object, type[ChatError]]] = {
    "429": (429, BotRateLimited),
    "'429'": ("429", BotRateLimited),
    "503": (503, BotUnavailable),
    "'503'": ("503", BotUnavailable),
    "529": (529, BotUnavailable),
    "504": (504, BotTimeout),
    "408": (408, BotTimeout),
    "[503]": ([503], BotUnavailable),
    "words": ("rate_limit_exceeded", BotRateLimited),
    "a wrong key": (401, BotMisconfigured),
    "nobody has paid": ("insufficient_quota", BotMisconfigured),
}
"""Codes of errors in the stream, treated like that status."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An engine's behaviour, and what the bot must raise."""

    script: Script
    error: type[ChatError]


def _status(status: int, error: type[ChatError]) -> Fault:
    return Fault(answer(status, {"error": _ERROR | {"code": CANARY}}, _TRACES), error)


FAULTS: dict[str, Fault] = {
    **{name: Fault([*begun(), *steps], BotFailed) for name, steps in NONSENSE.items()},
    **{
        f"code {name}": Fault(begun(event({"error": _ERROR | {"code": code}})), error)
        for name, (code, error) in REPORTED.items()
    },
    # Statuses: only temporary ones are reported as temporary.
    **{str(status): _status(status, BotFailed) for status in (400, 409, 418, 422, 499, 500, 501, 502, 505, 599)},
    # Only the operator can fix these.
    **{str(status): _status(status, BotMisconfigured) for status in (401, 402, 403, 404, 405, 410)},
    "413": _status(413, MessageRefused),
    "429": _status(429, BotRateLimited),
    "503": _status(503, BotUnavailable),
    "529": _status(529, BotUnavailable),
    "504": _status(504, BotTimeout),
    "408": _status(408, BotTimeout),
    "101": Fault([head(101, {"Upgrade": CANARY, "Connection": "upgrade"}), CANARY.encode(), CLOSE], BotFailed),
    "204": Fault([head(204, _TRACES)], BotFailed),
    "304": Fault([head(304, _TRACES)], BotMisconfigured),
    "999": Fault(answer(999, CANARY.encode(), _TRACES), BotFailed),
    "500 with a body that never ends": Fault(
        [head(500, {"Transfer-Encoding": "chunked"}), *_some(framed(CANARY.encode() * 2**10))], BotFailed
    ),
    "400 with a body that never ends": Fault(
        [head(400, {"Transfer-Encoding": "chunked"}), *_some(framed(CANARY.encode() * 2**10))], BotFailed
    ),
    # Not an engine.
    "HTML": Fault(answer(200, _HTML, {"Content-Type": "text/html; charset=utf-8"} | _TRACES), BotFailed),
    "HTML as a stream": Fault(answer(200, _HTML, {"Content-Type": "text/event-stream"}), BotFailed),
    "JSON that is broken": Fault(answer(200, f'{{"{CANARY}'.encode()), BotFailed),
    "JSON that is a list": Fault(answer(200, [CANARY]), BotFailed),
    "JSON that is empty": Fault(answer(200, b""), BotFailed),
    "JSON that is cut off": Fault([*answer(200, b"", {"Content-Length": 9999}), b'{"choices"', CLOSE], BotFailed),
    "JSON of something else": Fault(answer(200, {CANARY: CANARY}), BotFailed),
    "JSON with an error": Fault(answer(200, {"error": _ERROR}), BotFailed),
    "JSON with code 429": Fault(answer(200, {"error": _ERROR | {"code": 429}}), BotRateLimited),
    "JSON without finish_reason": Fault(answer(200, completion({"message": {"content": ""}})), BotFailed),
    "JSON with tool_calls": Fault(answer(200, whole(CANARY, "tool_calls")), BotFailed),
    "JSON that never ends": Fault(
        [
            head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}),
            *_some(framed(b" " * 2**16)),
        ],
        BotFailed,
    ),
    "compressed, though nobody asked for it": Fault(
        stream(b"\x1f\x8b\x08\x00" + CANARY.encode(), headers={"Content-Encoding": "gzip"}), BotFailed
    ),
    "no HTTP": Fault([f"SSH-2.0-{CANARY}\r\n".encode(), CLOSE], BotFailed),
    "HTTP of another kind": Fault([f"HTTP/9.9 {CANARY}\r\n\r\n".encode(), CLOSE], BotFailed),
    "a status that is no number": Fault([f"HTTP/1.1 {CANARY} OK\r\n\r\n".encode(), CLOSE], BotFailed),
    "a header without a name": Fault([f"HTTP/1.1 200 OK\r\n: {CANARY}\r\n\r\n".encode(), CLOSE], BotFailed),
    "a header with a NUL": Fault([f"HTTP/1.1 200 OK\r\nX: \0{CANARY}\r\n\r\n".encode(), CLOSE], BotFailed),
    "two lengths": Fault(
        [f"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n{CANARY}".encode(), CLOSE], BotFailed
    ),
    "a length that is no number": Fault([head(200, {"Content-Length": CANARY}), CANARY.encode(), CLOSE], BotFailed),
    "a header that never ends": Fault([b"HTTP/1.1 200 OK\r\nX: ", *_some(CANARY.encode() * 2**10)], BotFailed),
    "headers that never end": Fault([b"HTTP/1.1 200 OK\r\n", *_some(f"X: {CANARY}\r\n".encode() * 2**10)], BotFailed),
    # Nothing at all.
    "resets before the head": Fault([RESET], BotUnavailable),
    "closes before the head": Fault([CLOSE], BotUnavailable),
    "closes inside the head": Fault([f"HTTP/1.1 200 OK\r\nX: {CANARY}".encode(), CLOSE], BotUnavailable),
    "silent before the head": Fault((), BotTimeout),
    "silent inside the head": Fault([f"HTTP/1.1 200 OK\r\nX: {CANARY}\r\n".encode()], BotTimeout),
    "silent before the first event": Fault(begun(), BotTimeout),
    "silent inside an event": Fault(begun(chunk(CANARY)[:-9]), BotTimeout),
}
"""Faults before the first word."""
