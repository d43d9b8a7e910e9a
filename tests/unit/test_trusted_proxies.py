"""Which addresses a trusted proxy may report, and who counts as one."""

import pytest

from app.access.proxies import Proxies

_TRUSTED = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"]


def _client(peer: str | None, forwarded: list[str], trusted: list[str]) -> str | None:
    scope = {
        "client": (peer, 1) if peer else None,
        "scheme": "http",
        "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded],
    }
    Proxies(trusted).believe(scope)
    client = scope["client"]
    return client[0] if isinstance(client, tuple) else None


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5:4711"], "203.0.113.5"),
        ("10.0.0.1", ["[2001:db8::5]:4711"], "2001:db8::5"),
        ("10.0.0.1", ["2001:db8::5"], "2001:db8::5"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [", ".join(["198.51.100.1"] + ["10.0.0.2"] * 1000)], "10.0.0.2"),
        ("::ffff:10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("fd00::1", ["203.0.113.5"], "203.0.113.5"),
        ("192.0.2.7", ["unknown"], "unknown"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("192.0.2.8", ["203.0.113.5"], "192.0.2.8"),
        ("::ffff:192.0.2.8", ["203.0.113.5"], "::ffff:192.0.2.8"),
        (None, ["203.0.113.5"], None),
    ],
)
def test_the_last_address_that_is_no_proxy_s_is_the_client(
    peer: str | None, forwarded: list[str], client: str | None
) -> None:
    """Anybody may have written what comes before it; and a peer that is not a proxy is not trusted at all."""
    assert _client(peer, forwarded, _TRUSTED) == client


def test_where_everybody_is_trusted_the_first_address_is_the_client() -> None:
    """Then any client can claim any address, which the warning is about."""
    assert _client("192.0.2.8", ["198.51.100.1, 203.0.113.5"], ["*"]) == "198.51.100.1"
    assert _client(None, ["198.51.100.1"], ["*"]) == "198.51.100.1"


def test_where_nobody_is_trusted_nothing_is_believed() -> None:
    """The default."""
    assert _client("127.0.0.1", ["203.0.113.5"], []) == "127.0.0.1"


@pytest.mark.parametrize(("said", "scheme"), [("https", "https"), ("http", "http"), ("gopher", "http"), ("", "http")])
def test_a_proxy_says_whether_it_was_asked_over_tls(said: str, scheme: str) -> None:
    """Only the two schemes that exist."""
    scope = {"client": ("10.0.0.1", 1), "scheme": "http", "headers": [(b"x-forwarded-proto", said.encode())]}
    Proxies(_TRUSTED).believe(scope)
    assert scope["scheme"] == scheme
