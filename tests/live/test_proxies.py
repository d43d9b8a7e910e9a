"""A proxy that changes the Host, as nginx and Apache do by default: pages of the service itself still work."""

from collections.abc import Iterator

import pytest

from app.settings import Settings
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, get, post

_PAGE = "http://chat.example:8080"
_INSIDE = "localhost:9000"


@pytest.fixture(scope="module")
def trusting() -> Iterator[LiveServer]:
    """A service that trusts the proxy next to it."""
    with LiveServer(trusted_proxies='["127.0.0.1"]') as server:
        yield server


def _ask(server: LiveServer, origin: str, headers: dict[str, str]) -> Answer:
    with Wire(server.port) as wire:
        wire.send(post("hello", {"Host": _INSIDE, "Origin": origin} | headers))
        return wire.answer()


@pytest.mark.parametrize(
    ("origin", "headers"),
    [
        (_PAGE, {"X-Forwarded-Host": "chat.example:8080"}),
        (_PAGE, {"X-Forwarded-Host": "chat.example", "X-Forwarded-Port": "8080"}),
        (_PAGE, {"X-Forwarded-Host": "CHAT.example", "X-Forwarded-Port": "8080", "X-Forwarded-Proto": "http"}),
        (_PAGE, {"X-Forwarded-Host": "chat.example:8080, inside.example"}),
        ("http://chat.example", {"X-Forwarded-Host": "chat.example"}),
        ("http://chat.example", {"X-Forwarded-Host": "chat.example:80"}),
        ("https://chat.example", {"X-Forwarded-Host": "chat.example"}),
        ("https://chat.example", {"X-Forwarded-Host": "chat.example", "X-Forwarded-Proto": "https"}),
        ("https://chat.example", {"X-Forwarded-Host": "chat.example:443", "X-Forwarded-Proto": "https"}),
        ("http://[::1]:8080", {"X-Forwarded-Host": "[::1]:8080"}),
        ("http://[::1]", {"X-Forwarded-Host": "[::1]"}),
        ("http://localhost:9000", {}),
    ],
    ids=str,
)
def test_a_trusted_proxy_says_which_host_was_asked(trusting: LiveServer, origin: str, headers: dict[str, str]) -> None:
    """With its port, wherever the proxy puts it."""
    assert _ask(trusting, origin, headers).status == 200


@pytest.mark.parametrize(
    ("origin", "headers"),
    [
        (_PAGE, {}),
        (_PAGE, {"X-Forwarded-Host": ""}),
        (_PAGE, {"X-Forwarded-Host": "chat.example"}),
        (_PAGE, {"X-Forwarded-Host": "chat.example:8081"}),
        (_PAGE, {"X-Forwarded-Host": "chat.example", "X-Forwarded-Port": "80"}),
        (_PAGE, {"X-Forwarded-Host": "other.example:8080"}),
        ("http://chat.example", {"X-Forwarded-Host": "chat.example", "X-Forwarded-Proto": "https"}),
        ("null", {"X-Forwarded-Host": "null"}),
        ("", {"X-Forwarded-Host": "chat.example"}),
        ("http://[::", {"X-Forwarded-Host": "[::"}),
        (_PAGE, {"X-Forwarded-Host": "chat.example:8080", "Sec-Fetch-Site": "cross-site"}),
    ],
    ids=str,
)
def test_a_page_of_another_origin_is_refused_there_too(
    trusting: LiveServer, origin: str, headers: dict[str, str]
) -> None:
    """Also by its port; and what the browser says itself has priority."""
    assert _ask(trusting, origin, headers).problem_code() == "cross-site"


def test_who_is_no_trusted_proxy_is_not_believed() -> None:
    """By default nobody is. The refusal tells the operator what to do, and so does the log, once and without names."""
    with LiveServer() as server:
        for _ in range(3):
            answer = _ask(server, _PAGE, {"X-Forwarded-Host": "chat.example:8080"})
            assert answer.problem_code() == "cross-site"
            assert "CHAT_ALLOWED_ORIGINS" in answer.json()["detail"]
        server.wait_for_log(lambda line: '"warning"' in line, timeout=60)  # it may be read later than the answer
        (warning,) = [str(entry["event"]) for entry in server.log_entries() if entry["level"] == "warning"]
        assert "proxy_set_header Host $http_host;" in warning
        assert "ProxyPreserveHost On" in warning
        assert "CHAT_TRUSTED_PROXIES" in warning
        assert "chat.example" not in server.log()


def test_a_page_of_another_site_is_no_proxy_s_fault() -> None:
    """If the browser itself says so, there is nothing to configure."""
    with LiveServer() as server:
        assert _ask(server, _PAGE, {"Sec-Fetch-Site": "cross-site"}).status == 403
        assert not [entry for entry in server.log_entries() if entry["level"] == "warning"]


def test_an_allowed_origin_works_behind_any_proxy() -> None:
    """The other solution."""
    with LiveServer(allowed_origins=f'["{_PAGE}"]') as server:
        assert _ask(server, _PAGE, {}).status == 200


def test_trusting_everybody_is_warned_about() -> None:
    """Some containers need it, but then any client can claim to be another."""
    with LiveServer(trusted_proxies='["*"]') as server:
        (warning,) = [str(entry["event"]) for entry in server.log_entries() if entry["level"] == "warning"]
        assert "CHAT_TRUSTED_PROXIES" in warning
        assert _ask(server, _PAGE, {"X-Forwarded-Host": "chat.example:8080"}).status == 200


def test_an_idle_connection_outlives_a_proxy_s() -> None:
    """Otherwise the proxy sends a request into a closing connection. Caddy keeps its own for 120 seconds."""
    assert Settings().keep_alive_seconds > 120
    with LiveServer(keep_alive_seconds=1) as server, Wire(server.port) as wire:
        for _ in range(2):
            wire.send(get("/api/health"))
            assert wire.answer().status == 200
        assert wire.receive_rest() == b""
