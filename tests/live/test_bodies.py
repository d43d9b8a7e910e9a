"""Bodies with wrong framing, bodies that are not needed, and bodies with absurdly large numbers."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.server import LiveServer
from tests.support.wire import Wire, get, post, request

_MEGABYTE = 2**20


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """A service without keys."""
    with LiveServer() as server:
        yield server


@pytest.fixture
def wire(server: LiveServer) -> Iterator[Wire]:
    """A fresh connection."""
    with Wire(server.port) as wire:
        yield wire


@pytest.fixture(scope="module")
def locked() -> Iterator[tuple[LiveServer, dict[str, str]]]:
    """A service with keys, and the header with one."""
    url = fresh_database_url()
    token = asyncio.run(made_key(url, "alice"))[0]
    with LiveServer(database_url=url) as server:
        yield server, {"Authorization": bearer(token)}


def _is_taken(wire: Wire, data: bytes) -> bool:
    try:
        wire.send(data)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _chunked(chunks: bytes, coding: str = "chunked") -> bytes:
    head = request(b"", {"Transfer-Encoding": coding}).replace(b"Content-Length: 0\r\n", b"")
    return head + chunks


@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"fffffffffffffffff\r\n",
        b"5;\x00\r\nhello\r\n0\r\n\r\n",
        b"\r\n0\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
    ],
    ids=repr,
)
def test_a_malformed_chunk_gets_400_and_the_end(server: LiveServer, chunks: bytes) -> None:
    """Whether it is the first or a later one, with the head or after it."""
    for before in (b"", b"1\r\n{\r\n"):
        for is_later in (False, True):
            with Wire(server.port) as wire:
                if is_later:
                    wire.send(_chunked(before))
                    assert wire.is_quiet_for(0.02)
                    wire.send(chunks)
                else:
                    wire.send(_chunked(before + chunks))
                answer = wire.answer()
                assert (answer.status, answer.problem_code()) == (400, "malformed-request")
                assert answer.headers["connection"] == "close"
                assert wire.receive_rest() == b""


@pytest.mark.parametrize(
    ("coding", "status"),
    {
        "gzip, chunked": 501,
        "deflate,gzip , Chunked": 501,
        "identity, chunked": 501,
        "gzip": 400,
        "identity": 400,
        "xchunked": 400,
        "chunked, gzip": 400,
        "chunked, chunked": 400,
        "chunked\r\nTransfer-Encoding: chunked": 400,
        "gzip\r\nTransfer-Encoding: chunked": 501,
        "": 400,
    }.items(),
    ids=repr,
)
def test_only_one_transfer_coding_is_known(wire: Wire, coding: str, status: int) -> None:
    """RFC 9112, section 6.1; but if the end of the body cannot be determined, it is 400 (6.3)."""
    wire.send(_chunked(b"0\r\n\r\n", coding))
    answer = wire.answer()
    assert answer.status == status
    assert answer.problem_code() == ("malformed-request" if status == 400 else "transfer-coding-not-implemented")
    assert wire.receive_rest() == b""


def test_chunks_in_capitals_are_chunks(wire: Wire) -> None:
    """Names of codings are case-insensitive; and an extension may be ignored."""
    body = post("hello").partition(b"\r\n\r\n")[2]
    wire.send(_chunked(b"%X;name=value\r\n%b\r\n0\r\n\r\n" % (len(body), body), "CHUNKED"))
    assert wire.answer().transcript().text == "hello"


def test_http_1_0_has_no_chunks(wire: Wire) -> None:
    """RFC 9112, section 6.1: then the framing is faulty."""
    wire.send(_chunked(b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert wire.answer().problem_code() == "malformed-request"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5.0\r\n",
        b"Content-Length: five\r\n",
        b"Content-Length: \r\n",
        b"Content-Length: 99999999999999999999999999\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n",
    ],
    ids=lambda fields: repr(fields[:60]),
)
def test_a_length_is_one_number_and_alone(wire: Wire, fields: bytes) -> None:
    """If two parsers could see two ends, the request is refused (RFC 9112, section 6.3)."""
    wire.send(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n0\r\n\r\n")
    answer = wire.answer()
    assert (answer.status, answer.problem_code()) == (400, "malformed-request")
    assert wire.receive_rest() == b""


def test_fields_behind_a_body_are_not_those_of_its_head(wire: Wire) -> None:
    """RFC 9110, section 6.5.1. A proxy that checks heads has not seen them."""
    body = post("hello").partition(b"\r\n\r\n")[2]
    chunks = b"%x\r\n%b\r\n0\r\nLast-Event-ID: x\r\nHost: other.example\r\nContent-Type: a/b\r\n\r\n" % (
        len(body),
        body,
    )
    wire.send(_chunked(chunks) + get("/api/health"))
    assert wire.answer().transcript().text == "hello"
    assert wire.answer().status == 200


def test_fields_behind_a_body_are_bounded(wire: Wire) -> None:
    """And so are chunk extensions, and unterminated lines of either."""
    wire.send(_chunked(b"1\r\n{\r\n0\r\n"))
    for n in range(50):
        wire.send(b"X-%d: %b\r\n" % (n, b"x" * 100_000))
    assert wire.answer().problem_code() == "head-too-large"


@pytest.mark.parametrize("size", [1_000, 70_000, 5 * _MEGABYTE])
def test_the_body_of_a_refused_request_is_no_request(locked: tuple[LiveServer, dict[str, str]], size: int) -> None:
    """It is read and dropped, whether or not the client has read the response, and the next request is answered."""
    server, key = locked
    evil = get("/api/conversations", key)
    body = (evil * (size // len(evil) + 1))[:size]
    head, _, _ = request(body).partition(b"\r\n\r\n")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[: size // 2], body[size // 2 :]))
    with Wire(server.port) as wire:
        for raw in (head + b"\r\n\r\n" + body, _chunked(chunks + b"0\r\n\r\n")):
            wire.send(raw)
            assert wire.answer().problem_code() == "credentials-missing"
            start = raw.index(b"\r\n\r\n") + 4
            wire.send(raw[:start])
            assert wire.answer().problem_code() == "credentials-missing"
            wire.send(raw[start:])
            wire.send(get("/api/health"))
            assert wire.answer().json()["status"] == "success"


def test_each_refusal_survives_the_rest_of_its_body(server: LiveServer) -> None:
    """A client that reads the response only after sending everything finds it, whatever it is."""
    huge = b"x" * 3 * _MEGABYTE
    for raw, code in (
        (request(huge), "body-too-large"),
        (_chunked(b"".join(b"10000\r\n%b\r\n" % huge[:65_536] for _ in range(48))), "body-too-large"),
        (request(huge, {"Content-Type": "text/plain"}), "unsupported-media-type"),
        (request(huge, {"Sec-Fetch-Site": "cross-site"}), "cross-site"),
        (request(huge, {"Host": "other.example"}), "host-not-allowed"),
        (request(huge, {"Accept": "text/html"}), "stream-only"),
        (request(huge, {"X": "x" * 70_000}), "head-too-large"),
        (request(huge, {"Transfer-Encoding": "chunked"}), "malformed-request"),
        (request(huge).replace(b"/api/chat", b"/nothing", 1), "path-not-found"),
        (request(huge).replace(b"POST", b"PUT", 1), "method-not-allowed"),
        (_chunked(b"x\r\n" + huge), "malformed-request"),
    ):
        with Wire(server.port) as wire:
            wire.send(raw)
            assert wire.answer().problem_code() == code


def test_a_body_that_nobody_will_read_to_its_end_is_told_so(locked: tuple[LiveServer, dict[str, str]]) -> None:
    """The connection closes after the response, so that a client that looks can stop; there is no second response."""
    server, _ = locked
    with Wire(server.port) as wire:
        wire.send(request(b"", {"Content-Length": str(100 * _MEGABYTE)}))
        answer = wire.answer()
        assert (answer.problem_code(), answer.headers["connection"]) == ("credentials-missing", "close")
        wire.send(b"x" * _MEGABYTE)
        assert wire.receive_rest() == b""


@pytest.mark.parametrize("headers", [{"Content-Length": str(2**40)}, {"Content-Type": "a/b"}], ids=["length", "chunks"])
def test_what_is_dropped_is_bounded(server: LiveServer, headers: dict[str, str]) -> None:
    """In bytes, and also in time: see the slow clients."""
    raw = request(b"", headers)
    chunk = b"10000\r\n%b\r\n" % (b"x" * 65_536)
    with Wire(server.port) as wire:
        wire.send(raw if "Content-Length" in headers else _chunked(b"").replace(b"application/json", b"a/b"))
        assert wire.answer().status in {413, 415}
        assert not all(_is_taken(wire, chunk) for _ in range(2_000))


def test_a_malformed_rest_of_a_refused_body_gets_no_second_answer(locked: tuple[LiveServer, dict[str, str]]) -> None:
    """The request has already been answered."""
    server, _ = locked
    with Wire(server.port) as wire:
        wire.send(_chunked(b"1\r\n{\r\n"))
        assert wire.answer().problem_code() == "credentials-missing"
        wire.send(b"garbage\r\n")
        assert wire.receive_rest() == b""


def test_who_waits_for_leave_to_send_a_body_is_refused_without_it(locked: tuple[LiveServer, dict[str, str]]) -> None:
    """And the connection closes: the client may or may not send it (RFC 9110, 10.1.1)."""
    server, key = locked
    body = post("hello").partition(b"\r\n\r\n")[2]
    with Wire(server.port) as wire:
        wire.send(request(body, {"Expect": "100-continue"})[: -len(body)])
        answer = wire.answer()
        assert (answer.problem_code(), answer.headers["connection"]) == ("credentials-missing", "close")
        assert wire.receive_rest() == b""
    with Wire(server.port) as wire:
        wire.send(request(body, {"Expect": "100-continue"} | key)[: -len(body)])
        assert wire.receive_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(body)
        assert wire.answer().transcript().text == "hello"


@pytest.mark.parametrize("digits", [5_000, 200_000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_out_of_all_proportion_is_json(wire: Wire, digits: int, sign: str) -> None:
    """It is simply not what the contract asks for; however long it is, it is parsed at once."""
    number = f"{sign}{'9' * digits}"
    for body in (number, f'{{"user_message": {number}}}', f'{{"user_message": "a", "other": [{number}]}}'):
        for text in (body, body.replace("999", "9.9", 1), body.replace(number, "1e999999")):
            wire.send(request(text.encode()))
            assert wire.answer().problem_code() == "invalid-body"
