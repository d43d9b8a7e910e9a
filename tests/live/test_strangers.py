"""Law 7, on the wire: nothing tells a stranger that something exists, neither a byte of the response nor its timing."""

import asyncio
import json
import re
import secrets
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.server import LiveServer
from tests.support.strangers import WAYS, Ids, Request
from tests.support.wire import Wire, post

_STALLED = "/simulate stall_after=3\nhello there, my world"
_OF_EACH_ANSWER = re.compile(rb"(x-request-id|date): [^\r]*\r\n")
_ROUNDS = 40
_TRIES = 6


@dataclass(frozen=True, slots=True)
class _Place:
    """A service, a principal's data there, and a stranger's key."""

    server: LiveServer
    things: dict[str, Ids]
    stranger: str


@pytest.fixture(scope="module")
def place() -> Iterator[_Place]:
    """With a running reply, one in memory, and one that is only in the store."""
    url = fresh_database_url()
    owner, stranger = (asyncio.run(made_key(url, name))[0] for name in ("owner", "stranger"))
    signed = {"Authorization": bearer(owner)}

    def said(wire: Wire, message: str) -> Ids:
        wire.send(post(message, signed))
        _, headers = wire.head()
        wire.receive_until(b":2\n\n" if message == _STALLED else b"event: done")
        return Ids(headers["reply-id"], headers["conversation-id"])

    with LiveServer(database_url=url) as server, Wire(server.port) as wire:
        stored = said(wire, "hello there")
    with LiveServer(database_url=url) as server, Wire(server.port) as running, Wire(server.port) as ended:
        things = {"running": said(running, _STALLED), "ended": said(ended, "hello there"), "stored": stored}
        yield _Place(server, things, stranger)


def _raw(request: Request, key: str | None) -> bytes:
    body = json.dumps(request.body).encode() if request.body else b""
    headers = {"Host": "localhost", "Content-Length": str(len(body)), "Content-Type": "application/json"}
    headers |= dict(request.headers) | ({"Authorization": bearer(key)} if key else {})
    lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _answer(wire: Wire, raw: bytes) -> bytes:
    """All bytes, except those that differ in every response."""
    wire.send(raw)
    head = wire.receive_until(b"\r\n\r\n")
    length = re.search(rb"content-length: ([0-9]+)\r\n", head)
    body = b""
    while length and not raw.startswith(b"HEAD") and len(body) < int(length[1]):
        body += wire.receive_at_most(int(length[1]) - len(body))
    return _OF_EACH_ANSWER.sub(b"", head) + body


def _nothing() -> Ids:
    return Ids(secrets.token_hex(16), secrets.token_hex(16))


@pytest.mark.parametrize("way", WAYS)
def test_no_byte_tells_a_stranger_that_something_is_there(place: _Place, way: str) -> None:
    """Head and body are the same as for nothing, with another key and without one."""
    with Wire(place.server.port) as wire:
        for key, status in ((place.stranger, b"HTTP/1.1 404 "), (None, b"HTTP/1.1 401 ")):
            nothing = _answer(wire, _raw(WAYS[way](_nothing(), 1), key))
            assert nothing.startswith(status)
            for ids in place.things.values():
                assert _answer(wire, _raw(WAYS[way](ids, 1), key)) == nothing


@pytest.mark.parametrize("way", ["read", "resume by asking", "cancel", "open", "go on with a key", "delete"])
def test_no_time_tells_a_stranger_that_something_is_there(place: _Place, way: str) -> None:
    """The median response times, for existing data and for nothing, differ by less than a factor of two.

    Other load may keep the machine busy, so this is measured several times, and the best result counts.
    """
    with Wire(place.server.port) as wire:
        for thing, ids in place.things.items():
            ratios: list[float] = []
            while not any(0.5 < ratio < 2 for ratio in ratios):
                ratios.append(_ratio(wire, place, way, ids))
                assert len(ratios) < _TRIES, (thing, ratios)


def _ratio(wire: Wire, place: _Place, way: str, ids: Ids) -> float:
    """The ratio of the median times of responses about another's data and about nothing."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(_ROUNDS):
        for taken, whose in zip(times, (ids, _nothing()), strict=True):
            raw = _raw(WAYS[way](whose, 1), place.stranger)
            started_at = time.perf_counter()
            _answer(wire, raw)
            taken.append(time.perf_counter() - started_at)
    return statistics.median(times[0]) / statistics.median(times[1])
