"""SIGTERM: running replies finish, new ones are refused, and whatever clients do, the process ends in time."""

import signal
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.support.addresses import EACH, WHOLE
from tests.support.server import LiveServer
from tests.support.service import SERVICE
from tests.support.upstream import Upstream
from tests.support.wire import Answer, Wire, get, post

_SOME_SECONDS = 10.0
"""An orchestrator's grace on top of the drain time; an exit takes at most two seconds."""
_WORDS = "".join(f"word{n} " for n in range(40))
_BY_SIGTERM = -signal.SIGTERM


def _ask(server: LiveServer, request: bytes) -> Answer:
    with Wire(server.port) as wire:
        wire.send(request)
        return wire.answer()


def _wait_until_draining(server: LiveServer) -> Answer:
    """Request readiness until the signal has taken effect."""
    while (answer := _ask(server, get("/api/ready"))).status == 200:
        pass
    return answer


def _begin(server: LiveServer, stack: ExitStack, directive: str) -> Wire:
    """Start a reply and read its first word."""
    wire = stack.enter_context(Wire(server.port))
    wire.send(post(f"/simulate {directive}\n{_WORDS}"))
    wire.receive_until(b"\r\n\r\n")
    return wire


def test_a_running_reply_finishes() -> None:
    """While it does, readiness is 503, new messages are refused with Retry-After, and health still answers."""
    with LiveServer() as server, Wire(server.port) as wire:
        wire.send(post(f"/simulate pace_ms=25\n{_WORDS}"))
        first = wire.head(), wire.chunk()
        assert first[0][0] == 200
        server.terminate()
        unready = _wait_until_draining(server)
        assert (unready.status, unready.problem_code()) == (503, "draining")
        for path in EACH:
            refused = _ask(server, post("hello", path=path))
            assert (refused.status, refused.problem_code()) == (503, "draining")
            assert int(refused.headers["retry-after"]) >= 1
        assert _ask(server, get("/api/health")).status == 200
        body = first[1] + b"".join(iter(wire.chunk, b""))
        assert Answer(200, {}, body).transcript().reply.text == _WORDS
        assert server.wait(_SOME_SECONDS) == _BY_SIGTERM
        assert "Traceback" not in server.log()


def test_a_reply_as_json_finishes_too() -> None:
    """Although its client has not received a byte of it yet."""
    with LiveServer(program=SERVICE) as server, Upstream() as upstream, Wire(server.port) as wire:
        wire.send(post(upstream.message, path=WHOLE))
        upstream.accept()
        server.terminate()
        _wait_until_draining(server)
        upstream.say("so far so good")
        upstream.finish()
        assert wire.answer().json()["text"] == "so far so good\n"
        assert server.wait(_SOME_SECONDS) == _BY_SIGTERM


@pytest.mark.parametrize("words", [0, 1])
def test_a_reply_that_outlasts_the_drain_fails_retryably(words: int) -> None:
    """Its client gets `failed`, or the status if that was not sent yet, and may retry elsewhere."""
    with LiveServer(program=SERVICE, drain_seconds=0.5, first_word_seconds=30) as server, Upstream() as upstream:
        with Wire(server.port) as wire:
            wire.send(post(upstream.message))
            upstream.accept()
            for n in range(words + 1):
                upstream.say(f"word{n}" if words else "")
            if words:
                wire.receive_until(b"data: word0\ndata: \nid: ")
            server.terminate()
            if words:
                rest = wire.receive_until(b"0\r\n\r\n")
                assert b"event: failed" in rest
                assert b"urn:problem:draining" in rest
                assert b'"retryable":true' in rest
            else:
                answer = wire.answer()
                assert (answer.status, answer.problem_code()) == (503, "draining")
                assert int(answer.headers["retry-after"]) >= 1
        upstream.when_hung_up()
        assert server.wait(_SOME_SECONDS) == _BY_SIGTERM
        assert "Traceback" not in server.log()


def _nothing(wire: Wire) -> None:
    """It only connects."""


def _idle(wire: Wire) -> None:
    wire.send(get("/api/health"))
    assert wire.answer().status == 200


def _half_a_head(wire: Wire) -> None:
    wire.send(b"POST /api/chat HTTP/1.1\r\nHost: te")


def _half_a_body(wire: Wire) -> None:
    wire.send(post("hello")[:-5])


def _never_reads_a_stream(wire: Wire) -> None:
    wire.send(post("/simulate repeat=40\n" + ("x" + "\n" * 500) * 30))  # the server blocks in the middle of it
    wire.head()


def _never_reads_the_rest(wire: Wire) -> None:
    wire.send(post("/simulate repeat=60\n" + "x" + "\n" * 15_000))  # written, but waits in the server's buffer
    wire.head()


def _never_reads_json(wire: Wire) -> None:
    wire.send(post("/simulate repeat=300\n" + "x" + "\n" * 15_000, path=WHOLE))
    wire.head()


@pytest.mark.parametrize(
    "behave",
    [_nothing, _idle, _half_a_head, _half_a_body, _never_reads_a_stream, _never_reads_the_rest, _never_reads_json],
    ids=lambda behave: behave.__name__.strip("_"),
)
def test_the_process_ends_in_time_whatever_a_client_does(behave: Callable[[Wire], None]) -> None:
    """Five of each, holding their connections until the server is gone. Everything but the drain takes two seconds."""
    with LiveServer(drain_seconds=0.3, max_reply_characters=10_000_000) as server, ExitStack() as stack:
        for _ in range(5):
            behave(stack.enter_context(Wire(server.port, receive_buffer=4096)))
        assert _ask(server, get("/api/health")).status == 200
        server.terminate()
        assert server.wait(_SOME_SECONDS) == _BY_SIGTERM
        assert server.log_entries()
        assert "Traceback" not in server.log()


def test_with_nothing_to_drain_the_process_ends_at_once() -> None:
    """Whatever the drain time."""
    with LiveServer(drain_seconds=3600) as server:
        server.terminate()
        assert server.wait(_SOME_SECONDS) == _BY_SIGTERM
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_stops_at_once(again: signal.Signals) -> None:
    """The operator has decided: the reply may be stalled for an hour."""
    with LiveServer(drain_seconds=3600, first_word_seconds=0.01) as server, ExitStack() as stack:
        _begin(server, stack, "stall_after=3")
        server.terminate()
        _wait_until_draining(server)
        server.process.send_signal(again)
        assert server.wait(_SOME_SECONDS) != 0
        assert "graceful" not in server.log()
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("directive", [None, "stall_after=3"], ids=["idle", "streaming"])
def test_ctrl_c_ends_without_a_traceback(directive: str | None) -> None:
    """As everybody does who tries the service in a terminal."""
    with LiveServer(drain_seconds=0.3, first_word_seconds=0.01) as server, ExitStack() as stack:
        if directive:
            _begin(server, stack, directive)
        server.interrupt()
        assert server.wait(_SOME_SECONDS) in {-signal.SIGINT, 130}
        assert "Traceback" not in server.log()
        assert server.log_entries()
