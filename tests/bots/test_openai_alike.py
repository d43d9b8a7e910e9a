"""Events that differ in their text alone are not parsed one by one, and nobody can tell."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bots.alike import Alike
from app.bots.chunks import Completion
from app.bots.completions import CompletionReader
from app.bots.trouble import Trouble
from tests.support.completions import DONE, choice, chunk, completion, event, finish, said, usage
from tests.support.texts import texts

_HI = chunk("Hi ")


def _read(pieces: Iterable[bytes]) -> tuple[object, ...]:
    """What a reader makes of a body in these pieces."""
    reader = CompletionReader()
    said: Completion = reader.completion
    text: list[str] = []
    trouble: str | None = None
    try:
        for piece in pieces:
            text.append(reader.feed(piece))
            if reader.failure is not None:
                raise reader.failure
        text.append(reader.close())
    except Trouble as raised:
        trouble = raised.what
    return "".join(text), trouble, said.reason, said.usage, said.is_whole, said.has_spoken, said.words > 0


def _byte_by_byte(data: bytes) -> Iterable[bytes]:
    return (data[n : n + 1] for n in range(len(data)))


_ODD: dict[str, bytes] = {
    "an escape": chunk('"\\\n'),
    "a raw quote": _HI.replace(b"Hi ", b'Hi"'),
    "a quote and a field": _HI.replace(b"Hi ", b'Hi", "refusal": "no'),
    "a raw backslash": _HI.replace(b"Hi ", b"Hi\\"),
    "a raw control character": _HI.replace(b"Hi ", b"Hi\x01"),
    "a raw tab": _HI.replace(b"Hi ", b"Hi\t"),
    "half a character": _HI.replace(b"Hi ", b"Hi\xe2\x82"),
    "halves of a character": _HI.replace(b"Hi ", b"\xe2\x82") + _HI.replace(b"Hi ", b"\xac"),
    "no text": chunk(""),
    "no text between two": chunk("a") + chunk("") + chunk("b"),
    "two events": chunk("a") + chunk("b"),
    "two events, and half of one": chunk("a") + chunk("b") + chunk("c")[:-9],
    "half an event": _HI[:-1],
    "another choice": event(completion(choice({"content": "x"}, index=1))),
    "another end": finish("length"),
    "text with an end": finish("stop", content="x"),
    "an error": event({"error": {"message": "no"}}),
    "an error beside text": event(completion(choice({"content": "x"}), error={"message": "no"})),
    "a type of event": b"event: error\n" + _HI,
    "more data": _HI[:-1] + b"data: 1\n\n",
    "usage": usage(1, 2),
    "nothing": b"",
    "a comment": b": ping\n\n",
    "less than is alike": b"data: \n\n",
}


@pytest.mark.parametrize("odd", _ODD.values(), ids=_ODD.keys())
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CR LF", "CR"])
def test_what_is_not_exactly_alike_is_parsed(odd: bytes, line_end: bytes) -> None:
    """As if every byte arrived alone, when nothing can be compared."""
    for events in ([_HI, odd, _HI], [_HI, odd, _HI, finish(), _HI, DONE], [_HI, finish(), odd, _HI, DONE]):
        pieces = [piece.replace(b"\n", line_end) for piece in events]
        assert _read(pieces) == _read(_byte_by_byte(b"".join(pieces)))


def _events(deltas: list[str], *, is_ascii: bool, more: dict[str, object]) -> list[bytes]:
    about = [completion(choice({"content": delta}), **more) for delta in deltas]
    return [b"data: " + json.dumps(each, ensure_ascii=is_ascii).encode() + b"\n\n" for each in about]


@settings(settings.get_profile("laws"))
@given(
    deltas=st.lists(texts, min_size=1, max_size=8),
    is_ascii=st.booleans(),
    more=st.sampled_from(
        [{}, {"usage": None}, {"content": "x"}, {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}]
    ),
    together=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_any_text_is_read_as_byte_by_byte(
    deltas: list[str], together: list[bool], more: dict[str, object], *, is_ascii: bool
) -> None:
    """Whichever events arrive together."""
    pieces: list[bytes] = []
    for piece, joins in zip(_events(deltas, is_ascii=is_ascii, more=more), together, strict=False):
        pieces[-1:] = [pieces[-1] + piece] if joins and pieces else [*pieces[-1:], piece]
    assert _read([*pieces, finish(), DONE]) == _read(_byte_by_byte(b"".join([*pieces, finish(), DONE])))


@pytest.mark.parametrize("ending", [b"\n\n", b"\r\n\r\n"], ids=["LF", "CR LF"])
def test_the_text_of_what_is_alike_is_known_without_parsing(ending: bytes) -> None:
    """Also of several events at once."""
    known = Alike()
    data = json.dumps(completion(choice({"content": "Hi "}))).encode()
    known.learn(b" " + data, ending, json.loads(data))
    first, second = (b"data: " + data.replace(b"Hi ", text.encode()) + ending for text in ("Grüße", " 日本語"))
    assert known.text(first) == "Grüße"
    assert known.text(first + second) == "Grüße 日本語"
    assert known.text(first + second[:-1]) is None


@pytest.mark.parametrize(
    "data",
    [
        said(content=None, role="Hi "),
        said(content=["Hi "], role="Hi "),
        event(completion(choice({"content": "Hi "}), content="Hi ")),
        event(completion(choice({"content": "Hi "}), choice({"content": "Hi "}, index=1))),
        event(completion(choice({"content": "Hi "}, index=1), choice({"refusal": "Hi "}))),
        event(completion(choice({"content": "Hi "}) | {"message": {"text": "Hi "}})),
    ],
    ids=["no content", "parts", "two of them", "two choices", "of another choice", "beside a whole message"],
)
def test_a_text_that_may_be_another_one_is_not_learned(data: bytes) -> None:
    """It would be mistaken for the reply's."""
    known = Alike()
    line = data.removeprefix(b"data:").removesuffix(b"\n\n")
    known.learn(line, b"\n\n", json.loads(line))
    assert known.text(data) is None
