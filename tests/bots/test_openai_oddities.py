"""Deviations of real engines from OpenAI's API that a reply must survive completely."""

import json

import pytest

from app.chat.model import Finish, FinishReason
from tests.bots.asking import COUNTS, USAGE, hear
from tests.support.completions import (
    DONE,
    LAST_CHUNK,
    answer,
    begun,
    choice,
    chunk,
    completion,
    event,
    finish,
    framed,
    head,
    in_pieces,
    said,
    speaks,
    stream,
    usage,
    whole,
)
from tests.support.engine import CLOSE, RESET, Step

_HI, _THERE = chunk("Hi "), chunk("there!")
_BODY = _HI + _THERE + finish() + DONE
_PRETTY = json.dumps(completion(choice({"content": "there!"})), indent=1).encode()
_WHOLE = whole("Hi there!")


def _message(**message: object) -> dict[str, object]:
    return {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": "stop"}


def _together(steps: list[Step]) -> bytes:
    return b"".join(step for step in steps if isinstance(step, bytes))


ODDITIES: dict[str, list[Step]] = {
    # Lines and fields: the WHATWG's rules for event streams hold, however unusual.
    "comments": stream(b": OPENROUTER PROCESSING\n\n", _HI, b":\n\n: x\n", _THERE, b": data: x\n", finish(), DONE),
    "CR LF": stream(_BODY.replace(b"\n", b"\r\n")),
    "CR": stream(_BODY.replace(b"\n", b"\r")),
    "CR LF, cut between its halves": in_pieces(stream(_BODY.replace(b"\n", b"\r\n"), framing="length")),
    "no space after data:": stream(_BODY.replace(b"data: ", b"data:")),
    "JSON over several data lines": stream(
        _HI, b"data: " + _PRETTY.replace(b"\n", b"\ndata:") + b"\n\n", finish(), DONE
    ),
    "event, id and retry lines": stream(b"id: 1\nevent: message\nretry: 5\n" + _HI, b"event: x\n" + _THERE, finish()),
    "fields that nobody knows": stream(b"dat: x\ndatax: y\ndata\n\n" + _HI, b"x\n" + _THERE, finish(), DONE),
    "events without data": stream(_HI, b"event: ping\n\n", b"data:\n\n", b"\n\n\n", _THERE, finish(), DONE),
    "a byte order mark": stream(b"\xef\xbb\xbf" + _HI, _THERE, finish(), DONE),
    "a byte order mark in pieces": in_pieces(stream(b"\xef\xbb\xbf" + _BODY)),
    # The end: only a finish reason counts; what follows is not waited for, and adds nothing.
    "no [DONE], chunked": stream(_HI, _THERE, finish()),
    "no [DONE], by length": stream(_HI, _THERE, finish(), framing="length"),
    "no [DONE], by hanging up": stream(_HI, _THERE, finish(), framing="close"),
    "no empty line at the end": stream(_HI, _THERE, finish().strip(), framing="close"),
    "[DONE] without an empty line": stream(_HI, _THERE, finish(), DONE.strip()),
    "[DONE], and silence": begun(_HI, _THERE, finish(), DONE),
    "hangs up behind the finish reason": stream(_HI, _THERE, finish(), CLOSE),
    "hangs up behind the finish reason, in one piece": [_together(stream(_HI, _THERE, finish(), CLOSE)), CLOSE],
    "resets behind [DONE], in one piece": [_together(stream(_BODY, CLOSE)), RESET],
    "events after [DONE]": stream(_HI, _THERE, finish(), DONE, chunk("more"), event({"error": "x"}), b"data: {\n\n"),
    "finish reason with the last word": stream(_HI, finish(content="there!"), DONE),
    "finish reason repeated": stream(_HI, _THERE, finish(), finish(), finish("length"), DONE),
    "finish reason empty until the end": stream(
        event(completion(choice({"content": "Hi "}, ""))), event(completion(choice({"content": "there!"}, "stop")))
    ),
    # Empty chunks.
    "content null": stream(said(role="assistant", content=None), _HI, said(content=None), _THERE, finish(), DONE),
    "no delta": stream(event(completion({"index": 0, "finish_reason": None})), _HI, _THERE, finish(), DONE),
    "delta null": stream(_HI, event(completion(choice(None))), _THERE, event(completion(choice(None, "stop")))),
    "choices empty": stream(event(completion()), _HI, event(completion()), _THERE, finish(), DONE),
    "choices null": stream(event({"choices": None}), _HI, event({"choices": None}), _THERE, finish(), DONE),
    "no choices": stream(event({"prompt_filter_results": []}), _HI, event({}), _THERE, finish(), DONE),
    "no index": stream(event({"choices": [{"delta": {"content": "Hi "}}]}), _THERE, finish(), DONE),
    "no finish_reason in between": stream(
        event({"choices": [{"index": 0, "delta": {"content": "Hi there!"}}]}), finish()
    ),
    "error null": stream(event(completion(choice({"content": "Hi "}), error=None)), _THERE, finish(), DONE),
    "fields of every kind": stream(
        event(completion(choice({"content": "Hi ", "x": [1]}), service_tier=None, x={"y": 1e300}, timings=[])),
        event(completion({"index": 0, "delta": {"content": "there!"}, "logprobs": None, "finish_reason": "stop"})),
    ),
    # Several choices: only the one with index 0 is the reply.
    "a second choice": stream(
        event(completion(choice({"content": "Hi "}), choice({"content": "Bye"}, index=1))),
        event(completion(choice({"content": "Bye"}, "stop", index=1))),
        _THERE,
        finish(),
        DONE,
    ),
    # Reasoning is not part of the text.
    "reasoning_content": stream(said(reasoning_content="Hm."), said(reasoning_content="Hm", content=None), _BODY),
    "reasoning": stream(said(reasoning="Hm.", content=""), said(reasoning_details=[{"text": "Hm"}]), _BODY),
    # A refusal is shown to the user.
    "refusal": stream(said(refusal="Hi "), said(refusal="there!", content=None), finish(), DONE),
    "content in parts": stream(
        said(content=[{"type": "text", "text": "Hi "}, {"type": "thinking", "thinking": [{"text": "Hm"}]}]),
        said(content=[]),
        said(content=[{"type": "text", "text": "the"}, {"type": "text", "text": "re!"}]),
        finish(),
        DONE,
    ),
    # TCP and HTTP: bytes may arrive in any pieces.
    "1-byte pieces": in_pieces(speaks("Hi ", "there!")),
    "one piece": stream(_BODY, framing="length"),
    "one piece with the head": [_together(stream(_BODY))],
    "by length": stream(_HI, _THERE, finish(), DONE, framing="length"),
    "by hanging up": stream(_HI, _THERE, finish(), DONE, framing="close"),
    "chunks of one byte": [*stream()[:-1], *[framed(_BODY[n : n + 1]) for n in range(len(_BODY))], LAST_CHUNK],
    "early hints": [head(100), head(103, {"Link": "</x>"}), *speaks("Hi ", "there!")],
    "no content type": [head(200, {"Connection": "close"}), _BODY, CLOSE],
    "HTTP/1.0": [b"HTTP/1.0 200 OK\r\n\r\n", _BODY, CLOSE],
    "content type in capitals": stream(_BODY, headers={"Content-Type": "Text/Event-Stream;Charset=UTF-8"}),
    # An engine, or a proxy before it, that does not stream.
    "JSON": answer(200, _WHOLE),
    "JSON with a charset": answer(200, _WHOLE, {"Content-Type": "application/json; charset=utf-8"}),
    "JSON with line breaks": answer(200, json.dumps(_WHOLE, indent=2).encode() + b"\n"),
    "JSON by hanging up": [head(200, {"Content-Type": "application/json"}), json.dumps(_WHOLE).encode(), CLOSE],
    "JSON in pieces": in_pieces(answer(200, _WHOLE)),
    "JSON with content in parts": answer(200, completion(_message(content=[{"type": "text", "text": "Hi there!"}]))),
    "JSON with a refusal": answer(200, completion(_message(content=None, refusal="Hi there!"))),
}


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Event loops chunk incoming data differently."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.mark.parametrize("script", ODDITIES.values(), ids=ODDITIES.keys())
async def test_a_reply_with_an_oddity_is_whole(script: list[Step]) -> None:
    """Every word, with the finish reason, from one request."""
    heard, requests = await hear(script)
    assert heard.error is None
    assert heard.text == "Hi there!"
    assert heard.finish == Finish("stop")
    assert requests == 1


@pytest.mark.parametrize(
    "raw", ["a\u2028b\u2029c", "a\u0085b", "a\x0b\x0c\x1cb", "\ufeffa", "data: [DONE]\n\n\r\n", "🙂👩‍💻"]
)
@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize("is_ascii", [False, True], ids=["raw", "escaped"])
async def test_what_some_take_for_a_line_end_is_text(raw: str, size: int, *, is_ascii: bool) -> None:
    """Only CR and LF end a line; UTF-8 may be split anywhere between two pieces."""
    data = json.dumps(completion(choice({"content": raw})), ensure_ascii=is_ascii).encode()
    heard, _ = await hear(in_pieces(stream(b"data: " + data + b"\n\n", finish(), DONE), size))
    assert (heard.error, heard.text) == (None, raw)


async def test_an_emoji_split_over_two_deltas_is_one() -> None:
    """Each half is a separate escape; alone, neither is valid Unicode."""
    high, low = (b'data: {"choices": [{"index": 0, "delta": {"content": "\\ud83d"}}]}\n\n', b"\\ude00")
    heard, _ = await hear(stream(chunk("Hi "), high, high.replace(b"\\ud83d", low), finish(), DONE))
    assert (heard.error, heard.text) == (None, "Hi 😀")


@pytest.mark.parametrize(
    "script",
    [
        stream(_HI, _THERE, finish(), usage(7, 3), DONE),
        stream(_HI, _THERE, finish(), event({"choices": None, "usage": COUNTS}), DONE),
        stream(_HI, _THERE, finish(), event({"usage": COUNTS}), DONE),
        stream(_HI, _THERE, event(completion(choice({}, "stop"), usage=COUNTS)), DONE),
        stream(usage(7, 1), _HI, usage(7, 2), _THERE, usage(7, 3), finish(), DONE),
        stream(event(completion(choice({"content": "Hi there!"}), usage=None)), finish(), usage(7, 3)),
        stream(_HI, _THERE, finish(), 0.05, usage(7, 3), DONE),
        stream(_HI, _THERE, finish(), usage(7, 3), event(completion(usage=None)), DONE),
        answer(200, whole("Hi there!", usage=COUNTS)),
    ],
    ids=[
        "with no choice",
        "with choices null",
        "without choices",
        "in the last chunk",
        "in every chunk",
        "null before",
        "late",
        "null behind",
        "in JSON",
    ],
)
async def test_usage_is_the_last_that_came(script: list[Step]) -> None:
    """Wherever it is sent: the finish reason is not the last thing to wait for."""
    heard, _ = await hear(script)
    assert (heard.error, heard.text) == (None, "Hi there!")
    assert heard.finish == Finish("stop", USAGE)


@pytest.mark.parametrize(
    "odd",
    [
        "free",
        [],
        {},
        {"prompt_tokens": None, "completion_tokens": 3},
        {"prompt_tokens": 7},
        {"prompt_tokens": "7", "completion_tokens": "3"},
        {"prompt_tokens": -7, "completion_tokens": 3},
        {"prompt_tokens": 7.5, "completion_tokens": 3},
        {"prompt_tokens": True, "completion_tokens": 3},
        {"prompt_tokens": 10**30, "completion_tokens": 3},
    ],
    ids=str,
)
async def test_odd_usage_is_none(odd: object) -> None:
    """Invalid usage must not fail a reply."""
    heard, _ = await hear(stream(_HI, _THERE, finish(), event(completion(usage=odd)), DONE))
    assert (heard.error, heard.text) == (None, "Hi there!")
    assert heard.finish == Finish("stop")


@pytest.mark.parametrize(
    ("said_reason", "reason"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("eos_token", "stop"),
        ("stop_sequence", "stop"),
        ("end_turn", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
    ],
)
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "JSON"])
async def test_finish_reasons_have_a_meaning(said_reason: str, reason: FinishReason, *, streams: bool) -> None:
    """Engines have different names for the same reason."""
    script = stream(_HI, finish(said_reason), usage(7, 3), DONE) if streams else answer(200, whole("Hi ", said_reason))
    heard, _ = await hear(script)
    assert (heard.error, heard.text) == (None, "Hi ")
    assert heard.finish == Finish(reason, USAGE if streams else None)


async def test_thinking_is_a_sign_of_life() -> None:
    """It is not text, but empty deltas show that the bot is alive."""
    thinking: list[Step] = [said(reasoning_content="Hm"), 0.01] * 5
    heard, _ = await hear(stream(*thinking, _HI, _THERE, finish(), DONE))
    assert (heard.error, heard.text) == (None, "Hi there!")
    assert heard.deltas[:3] == ["", "", ""]
