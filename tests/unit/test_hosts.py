"""The hosts allowed by default, for servers that listen on other addresses than the tests'."""

import pytest

from app.access.errors import HostNotAllowed
from app.access.hosts import Hosts


def _is_refused(host: str, *, bound: str, address: str | None = "127.0.0.1") -> bool:
    hosts = Hosts((), bound, is_public=lambda: False, open_paths=("/api/health",))
    server = (address, 8000) if address is not None else None
    try:
        hosts.refuse_others({"path": "/", "headers": [(b"host", host.encode())], "server": server})
    except HostNotAllowed:
        return True
    return False


@pytest.mark.parametrize(
    ("host", "bound", "address"),
    [
        ("chat.internal:8000", "chat.internal", "10.0.0.1"),
        ("CHAT.internal", "chat.Internal", "10.0.0.1"),
        ("10.0.0.1:8000", "0", "10.0.0.1"),
        ("[fd00::1]:8000", "::", "fd00::1"),
        ("[fd00::1]", "[fd00::1]", "fd00::1"),
        ("localhost", "10.0.0.1", "10.0.0.1"),
        ("localhost", "127.0.0.1", None),
        ("127.0.0.1", "", None),
    ],
)
def test_what_the_server_is_bound_to_is_answered(host: str, bound: str, address: str | None) -> None:
    """By the configured name, or by the address of the connection."""
    assert not _is_refused(host, bound=bound, address=address)


@pytest.mark.parametrize(
    ("host", "bound", "address"),
    [
        ("chat.internal", "10.0.0.1", "10.0.0.1"),
        ("10.0.0.2", "10.0.0.1", "10.0.0.1"),
        ("[fd00::2]", "::", "fd00::1"),
        ("fd00::1", "10.0.0.1", "10.0.0.1"),
        ("", "", None),
        (":8000", "", None),
        ("a" * 300 + ".localhost", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_nothing_else_is(host: str, bound: str, address: str | None) -> None:
    """Nor a missing name."""
    assert _is_refused(host, bound=bound, address=address)
