"""Which hosts the service answers for: a page that points its own name here (DNS rebinding) can read nothing."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.databases import fresh_database_url
from tests.support.keys import made_key
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, get

_HERE = ["localhost", "LOCALHOST:8000", "chat.localhost", "127.0.0.1", "127.0.0.1:80", "127.1.2.3", "[::1]:8000"]
_ELSEWHERE = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil-localhost",
    "10.0.0.1",
    "192.0.2.1:8000",
    "[::2]",
    "[::ffff:a00:1]",
    "",
]


@pytest.fixture(scope="module")
def default() -> Iterator[LiveServer]:
    """A service with default settings."""
    with LiveServer() as server:
        yield server


@pytest.fixture(scope="module")
def configured() -> Iterator[LiveServer]:
    """A service that answers for some hosts."""
    with LiveServer(allowed_hosts='["127.0.0.1", "test", "*.example.org", "[::1]"]') as server:
        yield server


def _ask(server: LiveServer, host: str, path: str = "/api/conversations") -> Answer:
    with Wire(server.port) as wire:
        wire.send(get(path, {"Host": host}))
        return wire.answer()


@pytest.mark.parametrize("host", _HERE)
def test_by_default_this_machine_is_answered(default: LiveServer, host: str) -> None:
    """By any of its names."""
    assert _ask(default, host).status == 200


@pytest.mark.parametrize("host", _ELSEWHERE)
@pytest.mark.parametrize("path", ["/api/conversations", "/", "/openapi.yaml", "/nothing"])
def test_by_default_no_other_name_is_answered(default: LiveServer, host: str, path: str) -> None:
    """Whatever is requested. The response names the setting."""
    answer = _ask(default, host, path)
    assert (answer.status, answer.problem_code()) == (421, "host-not-allowed")
    assert "CHAT_ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/health", "/api/ready"])
def test_probes_are_answered_by_any_name(default: LiveServer, configured: LiveServer, path: str) -> None:
    """An orchestrator uses an address that it has assigned; a refusal would cause a restart."""
    for server in (default, configured):
        for host in (*_HERE, *_ELSEWHERE):
            assert _ask(server, host, path).status == 200


def test_an_operator_is_told_once_and_of_no_name() -> None:
    """Otherwise anybody could fill the log with made-up names."""
    with LiveServer() as server:
        for n in range(5):
            assert _ask(server, f"evil-{n}.example").status == 421
        warnings = [entry for entry in server.log_entries() if entry["level"] == "warning"]
        assert len(warnings) == 1
        assert "CHAT_ALLOWED_HOSTS" in str(warnings[0]["event"])
        assert "evil" not in server.log()


def test_where_a_key_is_asked_for_any_name_will_do() -> None:
    """The attacking page has none. From the first key on, without a restart."""
    url = fresh_database_url()
    asyncio.run(made_key(url, "alice"))
    with LiveServer(database_url=url) as server:
        assert _ask(server, "chat.example").problem_code() == "credentials-missing"


def test_where_anyone_is_allowed_any_name_will_do() -> None:
    """As configured by the operator."""
    with LiveServer(allow_anyone=1) as server:
        assert _ask(server, "chat.example").status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    {
        "127.0.0.1": 200,
        "127.0.0.1:8000": 200,
        "a.example.org": 200,
        "A.B.EXAMPLE.ORG:443": 200,
        "[::1]:8000": 200,
        "localhost": 421,
        "example.org": 421,
        "a.example.org.evil": 421,
        "evil-example.org": 421,
        "127.0.0.1.evil": 421,
        "127.0.0.1,evil": 421,
        "": 421,
        "a.example.org:80:80": 400,
        "user@127.0.0.1": 400,
    }.items(),
)
def test_only_hosts_that_are_meant_are_answered_for(configured: LiveServer, host: str, status: int) -> None:
    """If hosts are listed, this machine's names must be in the list, too. The port is up to the proxy."""
    assert _ask(configured, host).status == status


def test_where_hosts_are_listed_one_has_to_be_named(configured: LiveServer) -> None:
    """HTTP/1.0 does not require one otherwise."""
    with Wire(configured.port) as wire:
        wire.send(b"GET /api/conversations HTTP/1.0\r\n\r\n")
        assert wire.answer().status == 421
