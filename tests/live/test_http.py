"""What HTTP allows and forbids, byte by byte."""

from collections.abc import Iterator

import pytest

from generated.models import Problem
from tests.support.addresses import WHOLE
from tests.support.server import LiveServer
from tests.support.stream import check_stream
from tests.support.wire import Wire, get, post, request

_HELLO = post("hello").partition(b"\r\n\r\n")[2]


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One server for all tests."""
    with LiveServer() as server:
        yield server


@pytest.fixture
def wire(server: LiveServer) -> Iterator[Wire]:
    """A fresh connection."""
    with Wire(server.port) as wire:
        yield wire


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS, sent to a port without it
        b"hello\r\n\r\n",
        b"GET / HTTP/1\r\nHost: a\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    ],
    ids=repr,
)
def test_what_is_not_http_gets_a_problem_and_the_end(wire: Wire, garbage: bytes) -> None:
    """Like every error; it repeats nothing of what was sent."""
    wire.send(garbage)
    answer = wire.answer()
    assert (answer.status, answer.problem_code()) == (400, "malformed-request")
    Problem.model_validate_json(answer.body)
    assert answer.headers["connection"] == "close"
    assert len(answer.headers["x-request-id"]) == 32
    assert wire.receive_rest() == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /api/health HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /api/health HTTP/3.0\r\nHost: localhost\r\n\r\n",
        b"GET /api/health HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"GET /api/health HTTP/0.9\r\nHost: localhost\r\n\r\n",
        b"GET /api/health\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=repr,
)
def test_another_version_of_http_is_not_supported(wire: Wire, raw: bytes) -> None:
    """RFC 9110, section 15.6.6. The last one is how HTTP/2 starts without TLS."""
    wire.send(raw)
    answer = wire.answer()
    assert (answer.status, answer.problem_code()) == (505, "http-version-not-supported")
    assert answer.headers["connection"] == "close"
    assert wire.receive_rest() == b""


def test_a_later_version_of_http_1_is_taken_for_1_1(wire: Wire) -> None:
    """RFC 9110, section 2.5: it is compatible."""
    wire.send(get("/api/health").replace(b"HTTP/1.1", b"HTTP/1.9") + get("/api/health"))
    assert [wire.answer().status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"Host: localhost\r\nHost: localhost\r\n",
        b"Host: localhost\r\nHost: other.example\r\n",
        b"Host: localhost, other.example\r\n",
        b"Host: user@localhost\r\n",
        b"Host: localhost:port\r\n",
        b"Host: localhost:80:80\r\n",
        b"Host: http://localhost\r\n",
        b"Host: localhost/api\r\n",
        b"Host: [::1\r\n",
        b"Host: l\xc3\xb6calhost\r\n",
        b"Host: " + b"a" * 300 + b"\r\n",
    ],
    ids=lambda fields: repr(fields[:40]),
)
def test_a_request_names_one_host(wire: Wire, fields: bytes) -> None:
    """RFC 9112, section 3.2: none, two or a malformed one is 400, even if any host is allowed."""
    wire.send(b"GET /api/health HTTP/1.1\r\n" + fields + b"\r\n")
    answer = wire.answer()
    assert (answer.status, answer.problem_code()) == (400, "malformed-request")
    assert wire.receive_rest() == b""


def test_http_1_0_needs_no_host_but_not_two_either(server: LiveServer) -> None:
    """Host came with 1.1."""
    for fields, status in ((b"", 200), (b"Host: localhost\r\n", 200), (b"Host: a\r\nHost: a\r\n", 400)):
        with Wire(server.port) as wire:
            wire.send(b"GET /api/conversations HTTP/1.0\r\n" + fields + b"\r\n")
            assert wire.answer().status == status


def test_a_target_with_a_host_counts_instead_of_the_header(wire: Wire) -> None:
    """RFC 9112, section 3.2.2; and its path may be missing."""
    wire.send(get("http://localhost:80/api/conversations", {"Host": "other.example"}))
    assert wire.answer().status == 200
    wire.send(get("http://other.example/api/conversations"))
    assert wire.answer().problem_code() == "host-not-allowed"
    wire.send(get("http://localhost"))
    assert wire.answer().status == 200
    wire.send(get("http://local,host:port/api/health"))
    assert wire.answer().problem_code() == "malformed-request"


def test_a_client_of_http_1_0_gets_its_stream_without_chunks(wire: Wire) -> None:
    """It would take chunk sizes for text; the connection's end is the end of the stream (RFC 9112, 6.1 and 6.3)."""
    wire.send(post("hello there", {"Connection": "keep-alive"}).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    status, headers = wire.head()
    assert (status, headers["connection"]) == (200, "close")
    assert not {"transfer-encoding", "content-length"} & headers.keys()
    assert check_stream(wire.receive_rest()).text == "hello there"


def test_a_client_of_http_1_0_gets_json_with_its_length(wire: Wire) -> None:
    """And no `100 Continue`, which 1.0 does not have."""
    asked = post("hello", {"Expect": "100-continue"}, WHOLE)
    head, _, body = asked.replace(b"HTTP/1.1", b"HTTP/1.0", 1).partition(b"\r\n\r\n")
    wire.send(head + b"\r\n\r\n")
    assert wire.is_quiet_for(0.1)
    wire.send(body)
    answer = wire.answer()
    assert (answer.status, answer.json()["text"], answer.headers["connection"]) == (200, "hello", "close")
    assert wire.receive_rest() == b""


def test_garbage_behind_a_request_does_not_get_into_its_answer(wire: Wire) -> None:
    """Interleaved responses would be unreadable; the stream ends, visibly incomplete."""
    wire.send(post("/simulate stall_after=2\none two") + b"\x00garbage\r\n\r\n")
    assert b"400" not in wire.receive_rest()


def test_a_connection_serves_many_requests(wire: Wire) -> None:
    """Streams, JSON, problems and plain responses, one after another."""
    for n in range(3):
        wire.send(post(f"hello {n}"))
        assert wire.answer().transcript().text == f"hello {n}"
        wire.send(get("/api/health"))
        assert wire.answer().json() == {"status": "success", "message": "The server is up and running."}
        wire.send(post(f"hello {n}", path=WHOLE))
        assert wire.answer().json()["text"] == f"hello {n}"
        wire.send(get("/nothing/here"))
        assert wire.answer().problem_code() == "path-not-found"
        wire.send(request(b"{"))
        assert wire.answer().problem_code() == "malformed-body"


def test_pipelined_requests_are_answered_in_turn(wire: Wire) -> None:
    """All of them sent before the first response starts."""
    wire.send(post("/simulate pace_ms=5\none two three") + get("/api/health") + post("four") + get("/nothing/here"))
    assert wire.answer().transcript().text == "one two three"
    assert wire.answer().json()["status"] == "success"
    assert wire.answer().transcript().text == "four"
    assert wire.answer().status == 404


def test_a_client_may_ask_for_the_connection_to_be_closed(wire: Wire) -> None:
    """The end of the stream is then also the end of the connection."""
    wire.send(post("hello", {"Connection": "close"}))
    assert wire.answer().transcript().text == "hello"
    assert wire.receive_rest() == b""


def test_a_client_may_wait_for_leave_to_send_its_body(wire: Wire) -> None:
    """As curl does for a large body."""
    wire.send(request(_HELLO, {"Expect": "100-continue"})[: -len(_HELLO)])
    assert wire.receive_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(_HELLO)
    assert wire.answer().transcript().text == "hello"


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.0, HTTP/2.0"])
def test_an_offer_to_speak_something_else_is_ignored_and_the_request_is_not(wire: Wire, protocol: str) -> None:
    """Java's HttpClient makes one by default, and curl --http2. In one piece, byte by byte, and pipelined."""
    offer = {"Connection": "keep-alive, Upgrade, HTTP2-Settings", "Upgrade": protocol, "HTTP2-Settings": "AAMAAABkAAQ"}
    wire.send(post("hello", offer))
    assert wire.answer().transcript().text == "hello"
    for byte in post("hello again", offer):
        wire.send(bytes([byte]))
    assert wire.answer().transcript().text == "hello again"
    wire.send(b"".join(post(f"hello {n}", offer) for n in range(50)) + get("/api/health"))
    for n in range(50):
        assert wire.answer().transcript().text == f"hello {n}"
    assert wire.answer().status == 200


def test_head_has_the_headers_alone(wire: Wire) -> None:
    """Whatever the status, there is no body."""
    wire.send(get("/api/health").replace(b"GET", b"HEAD", 1) + get("/api/health"))
    head = wire.receive_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert wire.answer().status == 200


def test_a_body_too_large_is_refused_before_it_is_sent(wire: Wire) -> None:
    """Its announced length is enough."""
    wire.send(request(b"", {"Content-Length": "999999999"}))
    answer = wire.answer()
    assert (answer.status, answer.problem_code()) == (413, "body-too-large")
    assert answer.headers["connection"] == "close"
    assert wire.receive_rest() == b""
