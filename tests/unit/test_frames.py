"""Frames: what the service writes is what any standard-conforming parser reads."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.access import EVERYBODY
from app.chat.errors import BotTimeout
from app.chat.model import Done, End, Failed
from app.chat.running import RunningReply
from app.chat.stored import ReplyRecord
from app.chat.words import WordSplitter
from app.contract import Contract
from app.eventlog.memory import MemoryReplyLog
from app.http.problems import Problems
from app.http.sse import PING, end_frame, tail_of, words_frame
from tests.support.stream import Parser, check_stream
from tests.support.texts import normalised, texts

_ID = "5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"
_CONTRACT = Contract.load()
_PROBLEMS = Problems(_CONTRACT.problems, _CONTRACT.reference("streamChat", to="getReply"))
_CONVERSATION = "c41d0b7e9a2f4d8ab6e3f50c7d219e84"


def _ended(words: list[str], end: End) -> RunningReply:
    reply = RunningReply(ReplyRecord(_ID, _CONVERSATION, 0, "hello", 0, EVERYBODY), MemoryReplyLog())
    reply.log.append(words)
    reply.log.close(end)
    return reply


def _end_of(words: list[str], end: End) -> bytes:
    return end_frame(_ended(words, end), end, _PROBLEMS)


def _split(text: str) -> list[str]:
    splitter = WordSplitter()
    return splitter.feed(normalised(text)) + splitter.flush()


def test_the_bytes_of_a_stream() -> None:
    """Exactly as the contract shows them."""
    assert words_frame(tail_of(_ID), 0, ["Hi ", "there!"]) == (
        b"data: Hi \nid: 5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0:1\n\ndata: there!\nid: 5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0:2\n\n"
    )
    assert words_frame(tail_of(_ID), 7, ["a\n\n  ", "b"]) == (
        b"data: a\ndata: \ndata:   \nid: 5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0:8\n\n"
        b"data: b\nid: 5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0:9\n\n"
    )
    assert _end_of(["Hi ", "there!"], Done("Hi there!", "stop")) == (
        b"event: done\n"
        b'data: {"reply_id":"5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0","conversation_id":"c41d0b7e9a2f4d8ab6e3f50c7d219e84",'
        b'"state":"completed","text":"Hi there!","words":2,"finish_reason":"stop"}\n\n'
    )
    assert PING == b": ping\n"


@settings(settings.get_profile("laws"))
@given(texts.map(_split), st.integers(0, 10**6))
def test_any_words_can_be_read_back(words: list[str], after: int) -> None:
    """Words that look like fields, comments or ends of events are still words."""
    events = Parser().feed(words_frame(tail_of(_ID), after, words))
    assert [(event.name, event.data) for event in events] == [("message", word) for word in words]
    assert [event.id for event in events] == [f"{_ID}:{n}" for n in range(after + 1, after + 1 + len(words))]


@given(texts.map(_split), st.lists(st.integers(0, 40), max_size=4), st.integers(1, 97))
def test_frames_and_pings_make_a_stream_wherever_they_are_cut(words: list[str], cuts: list[int], size: int) -> None:
    """Several frames, keep-alives between them, arriving in pieces of any size."""
    places = [0, *sorted(min(cut, len(words)) for cut in cuts), len(words)]
    frames = [words_frame(tail_of(_ID), a, words[a:b]) if b > a else b"" for a, b in itertools.pairwise(places)]
    raw = PING.join(frames) + _end_of(words, Done("".join(words), "length"))
    transcript = check_stream(raw)
    assert transcript.words == tuple(words)
    assert transcript.pings == len(frames) - 1
    parser = Parser()
    for start in range(0, len(raw), size):
        parser.feed(raw[start : start + size])
    assert [event.data for event in parser.events[:-1]] == words


@given(texts)
def test_the_end_has_any_text_as_json_in_one_line(text: str) -> None:
    """Line breaks are escaped there, including Unicode's, so that one data field works for every client."""
    words = _split(text)
    raw = words_frame(tail_of(_ID), 0, words) + _end_of(words, Done("".join(words), "stop"))
    assert check_stream(raw).reply.text == normalised(text)
    end = raw.decode().rpartition("\ndata: ")[2].removesuffix("\n\n")
    assert end.splitlines() == [end]


def test_what_unicode_calls_a_line_break_is_escaped_in_an_end() -> None:
    """Some clients split the stream there: in a word that is harmless, but it would break JSON."""
    raw = _end_of(["a\x85b\u2028c\u2029\U0001f600"], Done("a\x85b\u2028c\u2029\U0001f600", "stop"))
    assert rb'"text":"a\u0085b\u2028c\u2029' in raw
    assert "\U0001f600".encode() in raw  # everything else is unchanged
    assert (
        check_stream(words_frame(tail_of(_ID), 0, ["a\x85b\u2028c\u2029\U0001f600"]) + raw).reply.text[1::2]
        == "\x85\u2028\u2029"
    )


def test_a_failure_ends_a_stream_as_done_does() -> None:
    """With the problem for the error's code."""
    transcript = check_stream(words_frame(tail_of(_ID), 0, ["Hi"]) + _end_of(["Hi"], Failed(BotTimeout())))
    assert transcript.problem.type == "urn:problem:bot-timeout"
    assert (transcript.problem.status, transcript.problem.words) == (504, 1)
