"""Each line of the configurations that is not self-evident is needed: without it, what it is for does not hold."""

import pytest

from tests.deploy.asking import begun, ends_after_the_death_of, state
from tests.deploy.dying import dying
from tests.deploy.proxies import Proxy, running
from tests.support.server import LiveServer
from tests.support.wire import Wire, get, post

_SILENT = 600.0


@pytest.mark.parametrize(
    ("name", "line"), [("nginx", "proxy_set_header Host $http_host;"), ("apache", "ProxyPreserveHost On")]
)
def test_without_the_host_a_page_of_the_service_may_not_act(name: str, line: str) -> None:
    """It seems to be of another site, or the Host is none of this machine's names."""
    with (
        LiveServer("simulator") as server,
        running(name, server.port, {line: ""}) as proxy,
        Wire(proxy.port) as wire,
    ):
        wire.send(post("hello", {"Host": "localhost:8080", "Origin": "http://localhost:8080"}))
        assert wire.answer().status in {403, 421}


def test_nginx_with_its_default_makes_a_clean_end_of_the_death_of_the_service() -> None:
    """It speaks HTTP/1.0 to it."""
    with (
        LiveServer("simulator") as server,
        running("nginx", server.port, {"proxy_http_version 1.1;": ""}) as proxy,
    ):
        assert ends_after_the_death_of(server, proxy) == "clean"


def test_haproxy_without_abortonclose_notices_who_leaves_with_the_next_byte() -> None:
    """Not in a silence."""
    with (
        LiveServer("simulator", heartbeat_seconds=_SILENT, resume_window_seconds=0) as server,
        running("haproxy", server.port, {"option abortonclose": ""}) as proxy,
    ):
        with Wire(proxy.port) as wire:
            reply = begun(wire)
        with Wire(server.port) as wire:
            assert wire.is_quiet_for(1.5)
        assert state(server, reply) == "running"


@pytest.mark.parametrize(("name", "line"), [("haproxy", "option http-server-close"), ("apache", "disablereuse=On")])
def test_a_connection_that_is_used_again_may_be_dead(name: str, line: str) -> None:
    """Then the client's connection is closed without an answer, and browsers send the POST again."""
    with dying() as (port, _), running(name, port, {line: ""}) as proxy, Wire(proxy.port) as wire:
        wire.send(get("/api/health"))
        assert wire.answer().status == 200
        wire.send(post("hello"))
        assert wire.receive_rest() == b""


def test_haproxy_without_no_delay_collects_words() -> None:
    """For up to 200 ms."""
    with LiveServer("simulator") as server:
        with running("haproxy", server.port) as proxy:
            at_once = _reads(proxy)
        with running("haproxy", server.port, {"option http-no-delay": ""}) as proxy:
            collected = _reads(proxy)
    assert at_once > 2 * collected


def _reads(proxy: Proxy) -> int:
    """In how many pieces the words of a reply come."""
    with Wire(proxy.port) as wire:
        wire.send(post("/simulate pace_ms=30 repeat=30\nword "))
        said, pieces = b"", 0
        while b"event: done" not in said:
            said += (piece := wire.receive_at_most(2**20))
            pieces += b"data: word" in piece
        return pieces
