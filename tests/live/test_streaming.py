"""What a client sees of a reply over a real socket, and when."""

from collections.abc import Iterator

import pytest

from tests.support.addresses import BOTH, CHAT, WHOLE
from tests.support.server import LiveServer
from tests.support.stream import check_stream
from tests.support.wire import Answer, Wire, get, post


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One server for all tests."""
    with LiveServer(first_word_seconds=1) as server:
        yield server


def _ask(server: LiveServer, message: str, headers: dict[str, str] | None = None, path: str = CHAT) -> Answer:
    with Wire(server.port) as wire:
        wire.send(post(message, headers, path))
        return wire.answer()


def test_a_reply_comes_back_exactly(server: LiveServer) -> None:
    """In one delta, and with one character per delta."""
    text = "Grüße, 世界!  👩‍💻\n\n\tdata: x\u2028 مرحبا "
    assert _ask(server, text).transcript().text == text
    assert _ask(server, f"/simulate chunk=1\n{text}").transcript().text == text
    assert _ask(server, text, path=WHOLE).json()["text"] == text


def test_the_stream_has_the_headers_that_keep_it_a_stream(server: LiveServer) -> None:
    """Not to be stored, buffered by a proxy, or compressed."""
    answer = _ask(server, "hello", {"Accept-Encoding": "gzip, br"})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert len(answer.headers["x-request-id"]) == 32
    assert "content-encoding" not in answer.headers


def test_the_first_event_arrives_before_the_reply_is_complete(server: LiveServer) -> None:
    """This reply never ends: the bot stalls after its third word, so waiting for the end would never return."""
    with Wire(server.port) as wire:
        wire.send(post("/simulate stall_after=3\none two three four"))
        status, _ = wire.head()
        assert status == 200
        assert b"data: two \n" in wire.receive_until(b":2\n\n")


def test_words_arrive_as_they_are_made(server: LiveServer) -> None:
    """Words arrive at the bot's pace: nothing in between buffers them."""
    words = "".join(f"word{n} " for n in range(10))
    with Wire(server.port) as wire:
        wire.send(post(f"/simulate pace_ms=20\n{words}"))
        wire.head()
        chunks = list(iter(wire.chunk, b""))
    assert check_stream(b"".join(chunks)).text == words
    assert len(chunks) >= 5


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "bot-rate-limited"), (502, "bot-failed"), (503, "bot-unavailable"), (504, "bot-timeout")],
)
def test_a_failure_before_the_first_word_has_its_true_status(
    server: LiveServer, status: int, code: str, path: str
) -> None:
    """No 200 with an error in it; and if waiting helps, for how long."""
    answer = _ask(server, f"/simulate status={status} first_ms=50\nhello", path=path)
    assert (answer.status, answer.problem_code()) == (status, code)
    assert ("retry-after" in answer.headers) is (status in {429, 503})


def test_a_failure_after_the_wait_for_the_first_word_is_told_in_the_stream(server: LiveServer) -> None:
    """The status line could not wait any longer; for JSON it still can."""
    message = "/simulate status=503 first_ms=2000\nhello"
    transcript = _ask(server, message).transcript()
    assert transcript.words == ()
    assert transcript.problem.type == "urn:problem:bot-unavailable"
    assert _ask(server, message, path=WHOLE).status == 503


def test_a_failure_after_some_words_is_told_behind_them(server: LiveServer) -> None:
    """The words stay valid."""
    transcript = _ask(server, "/simulate fail_after=2\none two three").transcript()
    assert transcript.words == ("one ", "two ")
    assert transcript.problem.type == "urn:problem:bot-failed"
    assert _ask(server, "/simulate finish=length\none two").transcript().reply.finish_reason == "length"


def test_heartbeats_fill_a_silence() -> None:
    """Before the first word and between words, so that no proxy takes the silence for the end."""
    with LiveServer(first_word_seconds=0.05, heartbeat_seconds=0.05) as server:
        transcript = _ask(server, "/simulate first_ms=300 pace_ms=300\none two").transcript()
        assert transcript.text == "one two"
        assert transcript.pings >= 3


def test_there_are_no_heartbeats_where_there_is_no_silence(server: LiveServer) -> None:
    """The default is 15 seconds; only the first word was waited for here, and less than that."""
    assert _ask(server, "/simulate pace_ms=20\n" + "word " * 20).transcript().pings == 0


def test_the_open_streams_are_bounded() -> None:
    """One too many is refused at once, and accepted when another has ended."""
    with (
        LiveServer(max_open_streams=2, resume_window_seconds=0) as server,
        Wire(server.port) as first,
        Wire(server.port) as second,
    ):
        for wire in (first, second):
            wire.send(post("/simulate stall_after=2\none two"))
            wire.receive_until(b"data: one \n")
        refused = _ask(server, "hello")
        assert (refused.status, refused.problem_code()) == (503, "too-many-streams")
        assert int(refused.headers["retry-after"]) >= 1
        first.reset()
        while _ask(server, "hello").status == 503:
            pass  # the server has not noticed yet
        with Wire(server.port) as wire:
            wire.send(get("/api/ready"))
            assert wire.answer().status == 200
