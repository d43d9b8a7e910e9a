"""How much a client may request, who counts as a client, and what happens beyond the limit."""

import asyncio
import itertools
import re
import time
from collections.abc import Callable, Iterator

import pytest
from limits import RateLimitItem, RateLimitItemPerSecond

from app.access.budgets import WordBudgets
from app.access.limits import Allowance, Headers, Limits
from app.chat.errors import ChatError
from tests.support.addresses import WHOLE, events_of
from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, cancel, get, post, request

_STALLED = "/simulate stall_after=3\nhello there, my world"
_LIST = "/api/conversations"
_RATE = re.compile('"requests";r=([0-9]+);t=([0-9]+)')
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def proxied() -> Iterator[LiveServer]:
    """A service that trusts the proxy next to it, so that a test can be any number of clients."""
    with LiveServer(
        trusted_proxies='["127.0.0.0/8"]',
        resume_window_seconds=0,
        requests_per_minute=100,
        streams_per_client=2,
        words_per_day=12,
    ) as server:
        yield server


@pytest.fixture
def client() -> dict[str, str]:
    """A new client."""
    return _from(f"203.0.113.{next(_numbers)}")


def _from(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def _ask(server: LiveServer, raw: bytes) -> Answer:
    with Wire(server.port) as wire:
        wire.send(raw)
        return wire.answer()


def _left(answer: Answer) -> int:
    """How many requests the client may still send."""
    match = _RATE.fullmatch(answer.headers["ratelimit"])
    assert match
    assert 1 <= int(match[2]) <= 60
    return int(match[1])


def test_a_request_too_many_is_refused_until_the_minute_is_over() -> None:
    """Every request counts, whatever it was and however it ended; an untrusted proxy's headers are ignored."""
    with LiveServer(requests_per_minute=5) as server:
        asked = [get(_LIST), get("/api/replies/x"), request(b"{"), post("hello"), get(_LIST, {"Accept": "image/png"})]
        for left, raw in zip((4, 3, 2, 1, 0), asked, strict=True):
            answer = _ask(server, raw)
            assert answer.headers["ratelimit-policy"] == '"requests";q=5;w=60'
            assert _left(answer) == left
        for n, raw in enumerate(asked):
            for headers in (_from(f"203.0.113.{n}"), {"Forwarded": f"for=203.0.113.{n}", "X-Real-Ip": "203.0.113.1"}):
                lines = "".join(f"\r\n{name}: {value}" for name, value in headers.items()).encode()
                answer = _ask(server, raw.replace(b"\r\nHost: localhost", b"\r\nHost: localhost" + lines))
                assert (answer.status, answer.problem_code()) == (429, "rate-limited")
                assert _left(answer) == 0
                assert answer.headers["ratelimit-policy"] == '"requests";q=5;w=60'
                assert answer.headers["ratelimit"].endswith(f";t={answer.headers['retry-after']}")
                assert answer.json()["retryable"]
        for path in ("/api/health", "/api/ready", "/docs", "/openapi.json"):
            answer = _ask(server, get(path))
            assert answer.status == 200
            assert "ratelimit" not in answer.headers


def test_a_proxy_that_is_not_the_peer_is_not_believed() -> None:
    """The peer writes the last address of the header; anybody may have written the ones before it."""
    with LiveServer(trusted_proxies='["192.0.2.7", "10.0.0.0/8"]', requests_per_minute=9) as server:
        lefts = [_left(_ask(server, get(_LIST, _from(f"203.0.113.{n}")))) for n in range(5)]
        assert lefts == [8, 7, 6, 5, 4]


def test_behind_a_trusted_proxy_each_address_counts_for_itself(proxied: LiveServer) -> None:
    """The last address that is not one of our proxies: a client that adds others before it gains nothing."""
    one, two = _from("198.51.100.1"), _from("198.51.100.2")
    assert [_left(_ask(proxied, get(_LIST, headers))) for headers in (one, one, two, one)] == [99, 98, 99, 97]
    for forged in ("203.0.113.99, 198.51.100.1", "junk,,198.51.100.1, 127.0.0.5", "127.0.0.1, 198.51.100.1:4711"):
        assert _left(_ask(proxied, get(_LIST, _from(forged)))) < 97
    assert _left(_ask(proxied, get(_LIST, two))) == 98


def test_an_ipv6_client_has_one_network_and_not_all_its_addresses(proxied: LiveServer) -> None:
    """A client chooses the last 64 bits freely. An IPv4-mapped IPv6 address is the IPv4 address."""
    for addresses in (
        ("2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff:ffff:ffff:ffff", "[2001:DB8::3]:4711"),
        ("2001:db8:0:1::1", "2001:db8:0:1:8000::"),
        ("2001:db9::1",),
        ("198.51.100.77", "::ffff:198.51.100.77", "::ffff:c633:644d"),
        ("::ffff:198.51.100.78",),
        ("nobody", "unknown", "x" * 5_000),  # whatever is not an address is one client, not many
    ):
        lefts = [_left(_ask(proxied, get(_LIST, _from(address)))) for address in addresses]
        assert lefts == [99 - n for n in range(len(addresses))], addresses


def test_with_keys_it_is_the_principal_that_counts() -> None:
    """From any address and with any of its keys. Requests refused at the gate do not count."""
    url = fresh_database_url()

    async def keys() -> list[dict[str, str]]:
        names = ("alice", "alice", "bob")
        return [{"Authorization": bearer((await made_key(url, name))[0])} for name in names]

    alice, alice_too, bob = asyncio.run(keys())
    with (
        LiveServer(
            database_url=url, trusted_proxies='["127.0.0.1"]', requests_per_minute=4, streams_per_client=1
        ) as server,
        Wire(server.port) as stream,
    ):
        assert "ratelimit" not in _ask(server, get(_LIST)).headers
        stream.send(post(_STALLED, alice))
        _, headers = stream.head()
        refused = _ask(server, post("hello", alice_too | _from("203.0.113.1")))
        assert (refused.status, refused.problem_code()) == (429, "stream-limit-reached")
        assert _ask(server, post("hello", bob)).status == 200
        assert _ask(server, get(_LIST, alice_too)).status == 200
        assert _left(_ask(server, get(_LIST, alice | _from("203.0.113.2")))) == 0
        assert _ask(server, get(_LIST, alice_too)).problem_code() == "rate-limited"
        assert _left(_ask(server, get(_LIST, bob))) == 2
        assert headers["ratelimit"].startswith('"requests";r=3;')


_Ending = Callable[[LiveServer, Wire, dict[str, str]], None]


def _done(server: LiveServer, wire: Wire, client: dict[str, str]) -> None:
    wire.send(post("hello", client))
    assert wire.answer().transcript().text == "hello"
    assert server.port


def _done_as_json(_: LiveServer, wire: Wire, client: dict[str, str]) -> None:
    wire.send(post("hello", client, WHOLE))
    assert wire.answer().status == 200


def _cut(_: LiveServer, wire: Wire, client: dict[str, str]) -> None:
    wire.send(post(_STALLED, client))
    wire.receive_until(b":2\n\n")
    wire.reset()


def _cut_before_the_head(_: LiveServer, wire: Wire, client: dict[str, str]) -> None:
    wire.send(post("/simulate stall_after=0\nhello", client))
    wire.reset()


def _cancelled(server: LiveServer, wire: Wire, client: dict[str, str]) -> None:
    wire.send(post(_STALLED, client))
    _, headers = wire.head()
    assert _ask(server, cancel(headers["reply-id"], client)).status == 204
    wire.receive_until(b"0\r\n\r\n")


def _failed(_: LiveServer, wire: Wire, client: dict[str, str]) -> None:
    wire.send(post("/simulate fail_after=1\nhello there", client))
    assert b"event: failed" in wire.answer().body


def _failed_at_once(_: LiveServer, wire: Wire, client: dict[str, str]) -> None:
    wire.send(post("/simulate status=503\nhello", client))
    assert wire.answer().status == 503


def _refused(raw: Callable[[dict[str, str]], bytes], status: int) -> _Ending:
    def ending(_: LiveServer, wire: Wire, client: dict[str, str]) -> None:
        wire.send(raw(client))
        assert wire.answer().status == status

    return ending


_NOBODY = "0" * 32
_ENDINGS: dict[str, _Ending] = {
    "done": _done,
    "done, as JSON": _done_as_json,
    "cut": _cut,
    "cut before its head": _cut_before_the_head,
    "cancelled": _cancelled,
    "failed": _failed,
    "failed at once": _failed_at_once,
    "no JSON": _refused(lambda client: request(b"{", client), 400),
    "no message": _refused(lambda client: request(b"{}", client), 422),
    "a form": _refused(lambda client: request(b"a=b", client | {"Content-Type": "text/plain"}), 415),
    "a cursor that is none": _refused(lambda client: post("hello", client | {"Last-Event-ID": "x"}), 400),
    "a reply that is not there": _refused(lambda client: get(f"/api/replies/{_NOBODY}", client), 404),
    "an id that is none": _refused(lambda client: get("/api/replies/x", client), 404),
    "a type that is not to be had": _refused(lambda client: post("hello", client | {"Accept": "image/png"}), 406),
    "a conversation that is not there": _refused(
        lambda client: request(b'{"user_message": "a", "conversation_id": "%b"}' % _NOBODY.encode(), client), 404
    ),
}


@pytest.mark.parametrize("how", _ENDINGS)
def test_a_stream_that_is_over_leaves_its_place_to_the_next(
    proxied: LiveServer, client: dict[str, str], how: str
) -> None:
    """However it ended. While it lasts, a third one is refused; another client has its own limit."""
    with Wire(proxied.port) as running, Wire(proxied.port) as second:
        running.send(post(_STALLED, client))
        running.head()
        for _ in range(3):  # more often than the limit
            with Wire(proxied.port) as wire:
                _ENDINGS[how](proxied, wire, client)
            if how.startswith("cut"):
                _until_there_is_a_place(proxied, client)
        second.send(post("/simulate stall_after=2\na b c", client))
        assert second.head()[0] == 200
        refused = _ask(proxied, post("hello", client))
        assert (refused.status, refused.problem_code()) == (429, "stream-limit-reached")
        assert refused.headers["retry-after"] == "1"
        assert _ask(proxied, get(_LIST, client)).status == 200
        assert _ask(proxied, post("hello", _from(f"203.0.113.{next(_numbers)}"))).status == 200


def _until_there_is_a_place(server: LiveServer, client: dict[str, str]) -> None:
    deadline = time.monotonic() + 20
    while _ask(server, get(f"/api/replies/{_NOBODY}", client)).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_words_are_counted_once_a_reply_and_not_once_a_reader(proxied: LiveServer, client: dict[str, str]) -> None:
    """A reply takes seven of twelve. Reading or repeating it takes none; then five are left."""
    seven, six = "one two three four five six seven", "one two three four five six"
    first = _ask(proxied, post(seven, client | {"Idempotency-Key": "a"}))
    place = events_of(first.headers["reply-id"])
    for _ in range(5):
        assert _ask(proxied, get(place, client)).transcript().text == seven
        assert _ask(proxied, post(seven, client | {"Idempotency-Key": "a"})).transcript().text == seven
    assert _ask(proxied, post(six, client)).transcript().text == six  # the size of the last word is not known before
    refused = _ask(proxied, post("hello", client))
    assert (refused.status, refused.problem_code()) == (429, "word-limit-reached")
    assert 86_000 < int(refused.headers["retry-after"]) <= 86_400
    assert _left(refused) > 0


def test_who_has_no_words_left_can_still_read_what_was_said(proxied: LiveServer, client: dict[str, str]) -> None:
    """It has been paid for: in every way to resume a cut-off reply."""
    text = " ".join(["word"] * 20)
    answer = _ask(proxied, post(text, client | {"Idempotency-Key": "b"}))
    reply_id = answer.headers["reply-id"]
    place, cursor = events_of(reply_id), f"{reply_id}:3"
    assert _ask(proxied, post("hello", client)).problem_code() == "word-limit-reached"
    assert _ask(proxied, get(place, client)).transcript().text == text
    for again in (
        get(place, client | {"Last-Event-ID": cursor}),
        post(text, client | {"Last-Event-ID": cursor}),
        post(text, client | {"Idempotency-Key": "b"}),
    ):
        resumed = _ask(proxied, again)
        assert resumed.status == 200
        assert resumed.headers["reply-id"] == reply_id


def test_a_retry_that_only_attaches_is_let_in_beyond_the_limit() -> None:
    """What was generated is paid for; a client that lost it retries at once. Everything else waits."""
    with LiveServer(requests_per_minute=4, resume_window_seconds=60, first_word_seconds=60) as server:
        key, failed = {"Idempotency-Key": "a"}, {"Idempotency-Key": "failed"}
        running = {"Idempotency-Key": "running"}
        first = _ask(server, post("hello there", key))
        assert _ask(server, post("/simulate status=503\nhello", failed)).status == 503
        with Wire(server.port) as wire:
            wire.send(post(_STALLED, running))
            wire.receive_until(b":2\n\n")
        assert _left(_ask(server, get(_LIST))) == 0
        for _ in range(5):
            again = _ask(server, post("hello there", key))
            assert again.transcript() == first.transcript()
            assert _left(again) == 0
            assert _ask(server, post("hello there", key, WHOLE)).json()["reply_id"] == first.headers["reply-id"]
        with Wire(server.port) as wire:
            wire.send(post(_STALLED, running))
            assert wire.head()[0] == 200
            wire.receive_until(b":2\n\n")
        for raw in (
            post("hello there", {"Idempotency-Key": "new"}),
            post("hello there", {"Idempotency-Key": "new"}, WHOLE),
            post("hello there"),
            post("/simulate status=503\nhello", failed),
            post("/simulate status=503\nhello", failed, WHOLE),
            get(_LIST, key),
            get(events_of(first.headers["reply-id"]), key),
            cancel(first.headers["reply-id"], key),
        ):
            refused = _ask(server, raw)
            assert (refused.status, refused.problem_code()) == (429, "rate-limited")
            assert refused.headers["ratelimit"].endswith(f";t={refused.headers['retry-after']}")
        assert _ask(server, post("hello", key)).problem_code() == "idempotency-key-reused"


@pytest.mark.parametrize("what", ["requests", "words"])
async def test_who_waits_as_long_as_it_is_told_is_let_in(what: str) -> None:
    """And an earlier request is not; the window is a second here."""

    async def is_let_in(limits: Limits) -> int | None:
        try:
            await limits.count("client", headers)
            limits.allow_words("client")
        except ChatError as error:
            return error.retry_after_seconds
        limits.charge("client", 3)
        await asyncio.sleep(0)
        return None

    headers: Headers = []
    window: RateLimitItem = RateLimitItemPerSecond(3)
    limits = Limits(
        Allowance(requests=window) if what == "requests" else Allowance(words=WordBudgets(3, window_seconds=1))
    )
    for _ in range(2):
        refusals = [await is_let_in(limits) for _ in range(5)]
        assert refusals[0] is None
        seconds = refusals[-1]
        assert seconds == 1
        await asyncio.sleep(seconds)
