"""The documented proxies, each with the file of docs/deploy, in front of the service."""

import re
import socket
from collections.abc import Iterator

import pytest

from tests.deploy.asking import STALLS, begun, ends_after_the_death_of, state
from tests.deploy.dying import dying
from tests.deploy.proxies import BELOW, NAMES, Proxy, running
from tests.support.addresses import CHAT
from tests.support.server import LiveServer
from tests.support.waiting import wait_until
from tests.support.wire import Wire, get, post

_ALL = pytest.mark.parametrize("name", NAMES)
_NOTICES_AT_ONCE = ("nginx", "caddy", "haproxy")
_PINGS = 0.3
"""Seconds between two comments, where there are to be any."""
_SILENT = 600.0
_IDLE = {
    "nginx": {"proxy_read_timeout 610s": "proxy_read_timeout 2s"},
    "haproxy": {"timeout server 610s": "timeout server 2s"},
    "apache": {"ProxyTimeout 610": "ProxyTimeout 2"},
}
"""Limits on silence, made short. Caddy has none."""


@pytest.fixture(scope="module", params=NAMES)
def proxied(request: pytest.FixtureRequest) -> Iterator[tuple[Proxy, LiveServer]]:
    """A proxy and the service behind it, which trusts it and stops a reply with its reader."""
    with (
        LiveServer(
            "simulator", trusted_proxies="127.0.0.1", heartbeat_seconds=_PINGS, resume_window_seconds=0
        ) as server,
        running(request.param, server.port) as proxy,
    ):
        yield proxy, server


@pytest.mark.parametrize("path", ["", BELOW])
def test_a_word_comes_while_the_reply_still_runs(proxied: tuple[Proxy, LiveServer], path: str) -> None:
    """Nothing is held back: this reply never ends. Its comments come, too."""
    proxy, _ = proxied
    with Wire(proxy.port) as wire:
        wire.send(post(STALLS, path=f"{path}{CHAT}"))
        assert b"one " in wire.receive_until(b":1\n\n")
        wire.receive_until(b": ping\n")
        wire.receive_until(b": ping\n")


def test_leaving_reaches_the_service(proxied: tuple[Proxy, LiveServer]) -> None:
    """With the next comment at the latest."""
    proxy, server = proxied
    with Wire(proxy.port) as wire:
        reply = begun(wire)
    wait_until(lambda: state(server, reply) == "cancelled")


def test_the_host_is_passed_on(proxied: tuple[Proxy, LiveServer]) -> None:
    """So a page of the service may act, and a page of another site may not."""
    proxy, _ = proxied
    for origin, status in (("http://chat.example:8080", 200), ("http://evil.example", 403)):
        with Wire(proxy.port) as wire:
            wire.send(post("hello", {"Host": "localhost:8080", "Origin": origin.replace("chat.example", "localhost")}))
            assert wire.answer().status == status


@_ALL
def test_the_service_knows_clients_by_their_address(name: str) -> None:
    """Whatever they claim to be."""
    with (
        LiveServer("simulator", trusted_proxies="127.0.0.1", requests_per_minute=1) as server,
        running(name, server.port) as proxy,
    ):
        statuses = [
            _asked_from(source, proxy, claimed)
            for source, claimed in (
                ("127.0.0.2", "203.0.113.1"),
                ("127.0.0.2", "203.0.113.2"),
                ("127.0.0.3", "203.0.113.1"),
            )
        ]
    assert statuses == [200, 429, 200]


@pytest.mark.parametrize("name", _IDLE)
@pytest.mark.parametrize("pings", [_PINGS, _SILENT])
def test_comments_hold_a_limit_on_silence(name: str, pings: float) -> None:
    """Without them it ends the stream."""
    with (
        LiveServer("simulator", heartbeat_seconds=pings) as server,
        running(name, server.port, _IDLE[name]) as proxy,
        Wire(proxy.port) as wire,
    ):
        begun(wire)
        if pings == _SILENT:
            wire.receive_rest()
        for _ in range(round(4 / pings)):
            wire.receive_until(b": ping\n")


@pytest.mark.parametrize("name", NAMES)
def test_who_leaves_in_a_silence_is_noticed_at_once_or_with_the_next_byte(name: str) -> None:
    """Apache looks at its client only when it has something for it."""
    with (
        LiveServer("simulator", heartbeat_seconds=_SILENT, resume_window_seconds=0) as server,
        running(name, server.port) as proxy,
    ):
        with Wire(proxy.port) as wire:
            reply = begun(wire)
        if name in _NOTICES_AT_ONCE:
            wait_until(lambda: state(server, reply) == "cancelled")
        else:
            with Wire(server.port) as wire:
                assert wire.is_quiet_for(1.5)
            assert state(server, reply) == "running"
            server.process.kill()  # Apache would wait for it when it is stopped


@_ALL
def test_the_death_of_the_service_is_seen_as_a_cut(name: str) -> None:
    """And not as the end of the stream, which would be its last chunk."""
    with LiveServer("simulator") as server, running(name, server.port) as proxy:
        assert ends_after_the_death_of(server, proxy) == "cut"


@_ALL
def test_no_post_is_repeated(name: str) -> None:
    """When a server dies after it has read one, on a new connection and on one that was used before.

    Neither there nor at a second server.
    """
    with dying() as (port, seen), running(name, port, _twice(name, port)) as proxy:
        for before in (False, True):
            with Wire(proxy.port) as wire:
                if before:
                    wire.send(get("/api/health"))
                    assert wire.answer().status == 200
                wire.send(post("hello"))
                said = wire.receive_at_most(1000)
            assert not said or re.match(rb"HTTP/1.1 50[0-9] ", said)
        assert [line for line in seen if line.startswith(b"POST")] == [b"POST /api/chat HTTP/1.1"] * 2


def _twice(name: str, port: int) -> dict[str, str]:
    """What adds a second server to the configuration, where that is one line."""
    line = {
        "nginx": f"server 127.0.0.1:{port};",
        "caddy": f"reverse_proxy 127.0.0.1:{port}",
        "haproxy": f"server chat1 127.0.0.1:{port}",
        "apache": "",
    }[name]
    second = {
        "caddy": f"{line} localhost:{port}",
        "haproxy": f"{line}\n    server chat2 127.0.0.1:{port}",
    }.get(name, f"{line} {line}")
    return {line: second} if line else {}


def _asked_from(source: str, proxy: Proxy, claimed: str) -> int:
    request = get("/api/conversations", {"X-Forwarded-For": claimed}, close=True)
    with socket.create_connection(("127.0.0.1", proxy.port), 60, (source, 0)) as connection:
        connection.sendall(request)
        return int(connection.recv(1000).split()[1])
