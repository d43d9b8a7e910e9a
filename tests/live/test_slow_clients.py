"""Clients that hold a connection without sending or reading: what they can occupy is limited, and for how long."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import anyio
import psutil
import pytest
import uvicorn

from app.contract import Contract
from app.http.problems import Problems
from app.main import create_app
from app.server.clocks import Patience
from app.server.connection import bounded_protocol
from app.server.draining import Server
from app.server.refusals import Refusals
from app.settings import Settings
from tests.support.addresses import CHAT, WHOLE
from tests.support.server import FROM_SCRATCH, LiveServer
from tests.support.stream import check_stream
from tests.support.wire import Wire, get, post, request

_LONG_REPLY = "/simulate repeat=12\n" + "x " * 7_900
"""Words so short that their events take 5 MB, more than the kernel's buffers."""
_LONG_JSON = "/simulate repeat=500\n" + "x" * 15_900
"""8 MB."""
_STALLED = 10
_LOOK_AGAIN_SECONDS = 0.02
"""To look takes the processor from the server."""


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """A server with short time limits."""
    with LiveServer(request_seconds=0.4, stalled_seconds=0.6, max_reply_characters=10_000_000) as server:
        yield server


def _gone(wire: Wire) -> bool:
    return not wire.receive_rest()


def test_a_head_that_never_ends_is_cut(server: LiveServer) -> None:
    """Without a response: there is nothing to answer yet."""
    for head in (b"", b"G", b"POST /api/chat HTTP/1.1\r\nHost: te"):
        with Wire(server.port) as wire:
            wire.send(head)
            assert _gone(wire)


def test_a_head_that_drips_is_cut_all_the_same(server: LiveServer) -> None:
    """The deadline is for the whole head, not for its next byte."""
    with Wire(server.port) as wire:
        wire.send(b"GET /api/health HTTP/1.1\r\n")
        closed = any(_drip(wire, b"x") for _ in range(200))
        assert closed


def test_line_feeds_between_requests_do_not_hold_a_connection(server: LiveServer) -> None:
    """They are allowed before a request, so the deadline treats them as the start of one."""
    with Wire(server.port) as wire:
        wire.send(get("/openapi.json"))
        assert wire.answer().status == 200
        closed = any(_drip(wire, b"\r\n") for _ in range(200))
        assert closed


def test_a_body_that_never_ends_gets_408(server: LiveServer) -> None:
    """A problem, and the end of the connection: what follows would be the rest of the body."""
    with Wire(server.port) as wire:
        wire.send(post("hello")[:-5])
        answer = wire.answer()
        assert (answer.status, answer.problem_code()) == (408, "body-too-slow")
        assert answer.headers["connection"] == "close"
        assert _gone(wire)


def test_a_body_that_drips_gets_408(server: LiveServer) -> None:
    """The deadline is for the whole body."""
    with Wire(server.port) as wire:
        wire.send(post("x" * 10_000)[:-10_000])
        for _ in range(200):
            if _drip(wire, b"x"):
                break
        else:
            pytest.fail("the body may drip for ever")


def test_what_follows_an_early_answer_is_bounded_too(server: LiveServer) -> None:
    """415 needs no body; a client that keeps sending it slowly is cut off."""
    with Wire(server.port) as wire:
        wire.send(request(b"x" * 10_000, {"Content-Type": "text/plain"})[:-10_000])
        assert wire.answer().problem_code() == "unsupported-media-type"
        closed = any(_drip(wire, b"x") for _ in range(200))
        assert closed


def test_a_head_behind_a_body_that_nobody_wanted_has_a_deadline_too(server: LiveServer) -> None:
    """Even if it arrived together with the end of that body."""
    raw = request(b"x" * 10_000, {"Content-Type": "text/plain"})
    with Wire(server.port) as wire:
        wire.send(raw[:-10_000])
        assert wire.answer().problem_code() == "unsupported-media-type"
        wire.send(raw[-10_000:] + b"GET /api")
        assert _gone(wire)


def test_what_follows_a_refused_head_is_bounded_too(server: LiveServer) -> None:
    """The response is sent, and the connection half-closed; a client that keeps sending is cut off."""
    with Wire(server.port) as wire:
        wire.send(b"GET / HTTP/3.0\r\n\r\n")
        assert wire.answer().problem_code() == "http-version-not-supported"
        deadline = time.monotonic() + 20
        while _is_open(wire):
            assert time.monotonic() < deadline, "it may go on for ever"
            time.sleep(_LOOK_AGAIN_SECONDS)


def test_a_body_that_comes_in_pieces_in_time_is_taken(server: LiveServer) -> None:
    """Chunked, or with an announced length."""
    chunked = request(b"", {"Transfer-Encoding": "chunked"}).replace(b"Content-Length: 0\r\n", b"")
    body = post("hello").partition(b"\r\n\r\n")[2]
    with Wire(server.port) as wire:
        wire.send(chunked)
        for byte in body:
            wire.send(b"1\r\n%c\r\n" % byte)
        wire.send(b"0\r\n\r\n")
        assert wire.answer().transcript().text == "hello"
        for byte in post("hello again"):
            wire.send(bytes([byte]))
        assert wire.answer().transcript().text == "hello again"


@pytest.mark.parametrize(
    ("message", "path"),
    [(_LONG_REPLY, CHAT), (_LONG_JSON, WHOLE)],
    ids=["stream", "json"],
)
def test_a_client_that_takes_nothing_is_cut(server: LiveServer, message: str, path: str) -> None:
    """Not before the kernel's buffers are full; until then it cannot be noticed."""
    with Wire(server.port, receive_buffer=4096) as wire:
        wire.send(post(message, path=path))
        _, headers = wire.head()
        deadline = time.monotonic() + 20
        while _connections(server):
            assert time.monotonic() < deadline, "the connection stays open"
            time.sleep(_LOOK_AGAIN_SECONDS)
        rest = wire.receive_rest()
        assert not rest.endswith(b"0\r\n\r\n")
        assert len(rest) < int(headers.get("content-length", 2**32))


@asynccontextmanager
async def _small_buffers(stalled_seconds: float) -> AsyncIterator[tuple[Server, socket.socket]]:
    """A server in this process and its client, with small kernel buffers. So many seconds without progress are a stall.

    The client has requested 50 KB of JSON. That is too little for a write to block: all of it has been written.
    """
    app = create_app(Settings(bot="simulator"))
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)  # noqa: FBT003 - its only parameter
        refusals = Refusals(Problems(Contract.load().problems, str))
        protocol = bounded_protocol(Patience(head=10, stalled=stalled_seconds), refusals)
        config = uvicorn.Config(app, http=protocol, ws="none", log_config=None)
        server = Server(config, app.state.replies, drain_seconds=0)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(server.serve, [listener])
                await loop.sock_connect(client, listener.getsockname())
                request = post("/simulate repeat=5\n" + "x" * 10_000, {"Connection": "close"}, WHOLE)
                await loop.sock_sendall(client, request)
                while not server.server_state.total_requests:
                    await anyio.sleep(0.001)
                yield server, client
                server.should_exit = True


async def test_what_a_client_leaves_of_a_complete_answer_is_bounded_too() -> None:
    """No write is waiting for it, so only a timer notices."""
    async with _small_buffers(0.5) as (server, _):
        assert server.server_state.connections
        while server.server_state.connections:
            await anyio.sleep(0.001)


async def test_a_client_that_takes_some_bytes_now_and_then_is_not_cut() -> None:
    """It takes much longer than a stall may, but never pauses that long."""
    async with _small_buffers(1) as (_, client):
        received = 0
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(client, 1500):
            received += len(data)
            await anyio.sleep(0.08)
        assert received > 50_000


def test_a_client_that_reads_slowly_is_not_cut(server: LiveServer) -> None:
    """It takes longer than the time limit for one that reads nothing, and gets everything."""
    with Wire(server.port, receive_buffer=4096) as wire:
        started_at = time.monotonic()
        wire.send(post(_LONG_REPLY))
        status, _ = wire.head()
        assert status == 200
        body = b""
        while chunk := wire.chunk():
            body += chunk
            if time.monotonic() - started_at < 1.5:
                wire.is_quiet_for(0.01)
    assert len(check_stream(body).words) == 12 * 7_900


def test_memory_is_bounded_while_clients_take_nothing() -> None:
    """A reply is kept once, as words; what its client has not read is not kept again, as bytes.

    Waves of stalled clients cost no more than the first one, so nothing is left of those that were cut off.
    """
    with LiveServer(program=FROM_SCRATCH, stalled_seconds=1, retention_seconds=0.1) as server:
        process = psutil.Process(server.process.pid)
        with Wire(server.port) as wire:
            wire.send(post(_LONG_REPLY))
            wire.answer()
        before = process.memory_full_info().uss
        peaks = [_peak_while_stalled(server, process) - before for _ in range(3)]
        assert peaks[0] < _STALLED * 10 * 2**20, peaks
        # Everything still waiting is counted again; if it leaked, it would be three times as much.
        assert peaks[2] < max(peaks[:2]) * 1.8, peaks


def _peak_while_stalled(server: LiveServer, process: psutil.Process) -> int:
    """The server's peak memory until all of some stalled clients have been cut off."""
    peak = 0
    with ExitStack() as stack:
        for _ in range(_STALLED):
            wire = stack.enter_context(Wire(server.port, receive_buffer=4096))
            wire.send(post(_LONG_REPLY))
            wire.head()
        while _connections(server):
            peak = max(peak, process.memory_full_info().uss)
            time.sleep(_LOOK_AGAIN_SECONDS)
    return peak


def _connections(server: LiveServer) -> int:
    connections = psutil.Process(server.process.pid).net_connections()
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in connections)


def _is_open(wire: Wire) -> bool:
    """Whether the server still accepts a byte."""
    try:
        wire.send(b"x")
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _drip(wire: Wire, data: bytes) -> bool:
    """Wait a little, then send a little. Returns whether the server has closed instead of waiting."""
    if not wire.is_quiet_for(0.02):
        return True
    try:
        wire.send(data)
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False
