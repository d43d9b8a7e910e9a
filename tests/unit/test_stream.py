"""The tests' judge of streams must be right: its parser by the standard's examples, its check by broken streams."""

import itertools
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generated.models import Problem, Reply
from tests.support.stream import Event, Parser, check_stream

_ID = "5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"
_DONE = json.dumps(
    {
        "reply_id": _ID,
        "conversation_id": "c41d0b7e9a2f4d8ab6e3f50c7d219e84",
        "state": "completed",
        "text": "Hi there!",
        "words": 2,
        "finish_reason": "stop",
    }
)
_PROBLEM = json.dumps(
    {
        "type": "urn:problem:bot-failed",
        "title": "The bot failed",
        "status": 502,
        "detail": "It did.",
        "retryable": True,
        "words": 2,
    }
)
_WORDS = f"data: Hi \nid: {_ID}:1\n\ndata: there!\nid: {_ID}:2\n\n"
_GOOD = f"{_WORDS}event: done\ndata: {_DONE}\n\n"


def _parse(*pieces: bytes) -> tuple[list[Event], str | None]:
    parser = Parser()
    for piece in pieces:
        parser.feed(piece)
    parser.close()
    return parser.events, parser.unterminated


def _seen(stream: bytes) -> list[tuple[str, str, str]]:
    return [(event.name, event.data, event.last_event_id) for event in _parse(stream)[0]]


def test_the_parser_reads_the_examples_of_the_standard() -> None:
    """Those of section 9.2.6 of the HTML standard, verbatim."""
    assert _seen(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [("message", "YHOO\n+2\n10", "")]
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n"
    assert _seen(stream) == [("message", "first event", "1"), ("message", "second event", "")]
    assert _parse(stream)[1] == "data:  third event"
    assert _seen(b"data\n\ndata\ndata\n\ndata:") == [("message", "", ""), ("message", "\n", "")]
    assert _seen(b"data:test\n\ndata: test\n\n") == [("message", "test", "")] * 2


def test_an_id_stays_until_the_next_one_even_from_a_block_without_data() -> None:
    """`lastEventId` belongs to the stream, not to the block; an id with NUL is ignored."""
    seen = _seen(b"id: 1\n\ndata: a\n\nid: 2\ndata: b\n\nid: 3\0\ndata: c\n\n")
    assert seen == [("message", "a", "1"), ("message", "b", "2"), ("message", "c", "2")]


def test_names_comments_unknown_fields_and_reconnection_times_are_told_apart() -> None:
    """An event's name ends with its block; a block without data is not an event."""
    events, _ = _parse(
        b"event: done\n\nevent: x\n: hello\nretry: 12\nretry: 1s\nfoo: bar\n data: no\ndata: yes\n\ndata: z\n\n"
    )
    assert [(event.name, event.data, event.retry) for event in events] == [("x", "yes", 12), ("message", "z", None)]


def test_only_cr_and_lf_end_a_line() -> None:
    """U+2028, U+0085 and the like are text for the standard, though not for Python's splitlines."""
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    assert _seen(f"data: {text}\n\n".encode()) == [("message", text, "")]


def test_one_byte_order_mark_is_dropped_and_broken_utf_8_is_replaced() -> None:
    """As the standard decodes."""
    assert _seen("\ufeffdata: \ufeffa\n\n".encode()) == [("message", "\ufeffa", "")]
    assert _seen(b"data: \xff\n\n") == [("message", "\ufffd", "")]


@given(
    st.lists(
        st.sampled_from(["data: a\u00e9\U0001f600", "data", "id: 7", "event: e", ": c", "", "", "x"]), max_size=12
    ),
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_the_parser_does_not_mind_where_a_stream_is_cut_nor_which_line_end_it_has(
    lines: list[str], line_end: str, cuts: list[int]
) -> None:
    """Between a CR and its LF, or inside a character: the result is the same."""
    raw = line_end.join([*lines, ""]).encode()
    places = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    whole, _ = _parse("\n".join([*lines, ""]).encode())
    pieces, _ = _parse(*[raw[a:b] for a, b in itertools.pairwise(places)])
    assert pieces == whole


def test_a_good_stream_gives_its_transcript() -> None:
    """Words, text, end and keep-alives."""
    transcript = check_stream((": ping\n" + _GOOD.replace("event:", ": ping\n: ping\nevent:")).encode())
    assert transcript.words == ("Hi ", "there!")
    assert transcript.text == transcript.reply.text == "Hi there!"
    assert transcript.reply_id == _ID
    assert transcript.pings == 3


def test_a_stream_may_fail_before_and_after_its_first_word() -> None:
    """Without a word, nothing names the reply."""
    failed = f"event: failed\ndata: {_PROBLEM}\n\n"
    assert check_stream(failed.replace('"words": 2', '"words": 0').encode()).reply_id is None
    transcript = check_stream((_WORDS + failed).encode())
    assert transcript.problem.type == "urn:problem:bot-failed"
    assert transcript.reply_id == _ID
    with pytest.raises(AssertionError, match="bot-failed after 2 words"):
        _ = transcript.reply


def test_a_word_may_have_line_breaks_and_empty_lines() -> None:
    """Each further line is another data field."""
    text = "a\n\n  b\n"
    done = json.dumps(json.loads(_DONE) | {"text": text, "words": 1})
    stream = f"data: a\ndata: \ndata:   b\ndata: \nid: {_ID}:1\n\nevent: done\ndata: {done}\n\n"
    assert check_stream(stream.encode()).words == (text,)


_BROKEN: list[tuple[str, Callable[[str], str], str]] = [
    ("empty", lambda _: "", "without done or failed"),
    ("interrupted", lambda _: _WORDS, "without done or failed"),
    ("cut in the last event", lambda good: good[:-1], "ends inside an event"),
    ("a ping after the end", lambda good: good + ": ping\n", "ends inside an event"),
    ("a second end", lambda good: good + f"event: failed\ndata: {_PROBLEM}\n\n", "something follows"),
    ("a word after the end", lambda good: good + f"data: x\nid: {_ID}:3\n\n", "without done or failed"),
    ("a gap", lambda good: good.replace(":2\n", ":3\n"), "2 is next"),
    ("from zero", lambda good: good.replace(":1\n", ":0\n"), "not <reply_id>:<n>"),
    ("a leading zero", lambda good: good.replace(":1\n", ":01\n"), "not <reply_id>:<n>"),
    ("two replies", lambda good: good.replace(f"{_ID}:2", f"{'0' * 32}:2"), "in a stream of"),
    ("done of another reply", lambda good: good.replace(f'"{_ID}"', f'"{"0" * 32}"'), "in a stream of"),
    ("no id", lambda good: good.replace(f"id: {_ID}:1\n", ""), "is not a word"),
    ("id first", lambda good: good.replace(f"data: Hi \nid: {_ID}:1\n", f"id: {_ID}:1\ndata: Hi \n"), "is not a word"),
    ("a foreign field", lambda good: good.replace("data: Hi ", "retry: 5\ndata: Hi "), "is not a word"),
    ("no space", lambda good: good.replace("data: Hi ", "data:Hi "), "is not a word"),
    ("empty data", lambda good: good.replace("data: Hi ", "data: "), "empty data"),
    ("leading white space", lambda good: good.replace("data: Hi ", "data: \u3000Hi "), "starts with white space"),
    ("a leading line break", lambda good: good.replace("data: Hi ", "data: \ndata: Hi "), "starts with white space"),
    ("lost text", lambda good: good.replace("data: Hi ", "data: Hi"), "not what the 2 words give"),
    ("a foreign comment", lambda good: ": hello\n" + good, "not a ping"),
    ("a ping inside an event", lambda good: good.replace(f"id: {_ID}:1", f": ping\nid: {_ID}:1"), "not a ping"),
    ("a ping with an empty line", lambda good: ": ping\n\n" + good, "block without data"),
    ("an empty line too many", lambda good: good.replace("\n\n", "\n\n\n", 1), "block without data"),
    ("CR LF", lambda good: good.replace("\n", "\r\n"), "has a CR"),
    ("a byte order mark", lambda good: "\ufeff" + good, "byte order mark"),
    ("a foreign event", lambda good: good.replace("event: done", "event: error"), "without done or failed"),
    (
        "an end with an id",
        lambda good: good.replace("event: done\n", f"event: done\nid: {_ID}:3\n"),
        "should have an event",
    ),
    ("a field too few", lambda good: good.replace('"state": "completed", ', ""), "breaks the contract"),
    ("no finish reason", lambda good: good.replace(', "finish_reason": "stop"', ""), "breaks the contract"),
    (
        "a wrong state",
        lambda good: good.replace('"stop"', '"cancelled"'),
        "state completed and finish_reason cancelled",
    ),
    ("a wrong count", lambda good: good.replace('"words": 2', '"words": 3'), "there were 3 words"),
]


@pytest.mark.parametrize(("breaking", "message"), [case[1:] for case in _BROKEN], ids=[case[0] for case in _BROKEN])
def test_a_stream_that_breaks_the_grammar_is_told_how(breaking: Callable[[str], str], message: str) -> None:
    """One broken rule at a time."""
    with pytest.raises(AssertionError, match=message):
        check_stream(breaking(_GOOD).encode())


@pytest.mark.parametrize(
    "more",
    [
        _GOOD.replace('"stop"', '"stop", "x": 1'),
        _GOOD.replace('"stop"', '"tired"'),
        f"{_WORDS}event: failed\ndata: {_PROBLEM}\n\n".replace('"title"', '"y": [], "title"'),
        f"{_WORDS}event: failed\ndata: {_PROBLEM}\n\n".replace("bot-failed", "bot-tired"),
        f"{_WORDS}event: failed\ndata: {_PROBLEM}\n\n".replace(', "words": 2', ""),
    ],
    ids=["a field", "a finish reason", "a field of a problem", "a problem", "no count"],
)
def test_what_a_later_version_may_send_is_not_sent_by_this_one(more: str) -> None:
    """A client of this contract must accept it; the service with this contract does not send it."""
    with pytest.raises(AssertionError):
        check_stream(more.encode())


def test_a_stream_that_is_not_utf_8_is_refused() -> None:
    """The standard replaces invalid bytes, and would hide them."""
    with pytest.raises(AssertionError, match="not UTF-8 at byte"):
        check_stream(_GOOD.encode().replace(b"there", b"th\xffre"))


def test_the_ends_are_the_contracts_models() -> None:
    """Not look-alikes."""
    assert isinstance(check_stream(_GOOD.encode()).end, Reply)
    assert isinstance(check_stream(f"{_WORDS}event: failed\ndata: {_PROBLEM}\n\n".encode()).end, Problem)
