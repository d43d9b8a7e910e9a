"""How large a request's head may be, however it arrives."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from app.http.parameters import MAX_RUN_ID
from app.server.head import MOST_FIELDS, MOST_HEAD_BYTES, MOST_TARGET_BYTES
from tests.support.server import LiveServer
from tests.support.wire import Wire, get

_PIECES = {"in one piece": 2**20, "in pieces": 4_000, "in small pieces": 100}

_TOO_LARGE = {
    "a long field": {"X": "x" * MOST_HEAD_BYTES},
    "long fields": {f"X-{n}": "x" * 2_000 for n in range(50)},
    "many fields": {f"X-{n}": "" for n in range(5_000)},
    "a field too many": {f"X-{n}": "" for n in range(MOST_FIELDS)},  # and Host
    "a long name": {"x" * MOST_HEAD_BYTES: ""},
}


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


def _send(wire: Wire, raw: bytes, piece: int) -> None:
    for start in range(0, len(raw), piece):
        wire.send(raw[start : start + piece])


@pytest.mark.parametrize("piece", _PIECES.values(), ids=_PIECES)
@pytest.mark.parametrize("headers", _TOO_LARGE.values(), ids=_TOO_LARGE)
def test_a_head_over_the_bounds_gets_431(wire: Wire, headers: dict[str, str], piece: int) -> None:
    """All of it is read; otherwise its sender would see a reset and no response (RFC 6585, section 5)."""
    _send(wire, get("/api/health", headers), piece)
    answer = wire.answer()
    assert (answer.status, answer.problem_code()) == (431, "head-too-large")
    assert answer.headers["connection"] == "close"
    assert wire.receive_rest() == b""


@pytest.mark.parametrize("piece", _PIECES.values(), ids=_PIECES)
@pytest.mark.parametrize("headers", _TOO_LARGE.values(), ids=_TOO_LARGE)
def test_a_head_over_the_bounds_gets_431_before_its_end(wire: Wire, headers: dict[str, str], piece: int) -> None:
    """An endless head would never be answered otherwise."""
    _send(wire, get("/api/health", headers)[:-4] + b"x" * MOST_HEAD_BYTES, piece)
    assert wire.answer().problem_code() == "head-too-large"


@pytest.mark.parametrize("piece", _PIECES.values(), ids=_PIECES)
def test_a_head_within_the_bounds_is_taken(wire: Wire, piece: int) -> None:
    """At nearly the maximum size, and then again: the limits are per request."""
    headers = {f"X-{n}": "x" * 630 for n in range(MOST_FIELDS - 1)}
    for _ in range(3):
        _send(wire, get("/api/health", headers), piece)
        assert wire.answer().status == 200


@pytest.mark.parametrize("piece", _PIECES.values(), ids=_PIECES)
def test_a_target_that_is_too_long_gets_414(wire: Wire, piece: int) -> None:
    """RFC 9112, section 3: it has its own status."""
    _send(wire, get("/api/health?" + "x" * MOST_HEAD_BYTES), piece)
    answer = wire.answer()
    assert (answer.status, answer.problem_code()) == (414, "target-too-long")
    assert wire.receive_rest() == b""


def test_the_longest_id_of_a_run_fits(wire: Wire) -> None:
    """In any characters, each of which may have twelve bytes in a query."""
    wire.send(get("/api/ag-ui?runId=" + quote("\U0001f600" * MAX_RUN_ID)))
    assert wire.answer().problem_code() == "run-not-found"


def test_a_target_within_the_bound_is_taken(wire: Wire) -> None:
    """Exact to the byte."""
    path = "/api/health?"
    wire.send(get(path + "x" * (MOST_TARGET_BYTES - len(path))))
    assert wire.answer().status == 200
    wire.send(get(path + "x" * (MOST_TARGET_BYTES - len(path) + 1)))
    assert wire.answer().status == 414


def test_a_head_that_is_too_large_behind_others_is_answered_in_its_turn(wire: Wire) -> None:
    """Earlier requests are answered first."""
    wire.send(get("/api/health"))
    assert wire.answer().status == 200
    wire.send(get("/api/health"))
    assert wire.answer().status == 200
    wire.send(get("/api/health", {"X": "x" * MOST_HEAD_BYTES}))
    assert wire.answer().status == 431
