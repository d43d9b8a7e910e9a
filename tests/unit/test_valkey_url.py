"""`CHAT_VALKEY_URL` in the forms that hosts hand out; what is wrong is one line without the password."""

from pathlib import Path

import pytest

from app.chat.errors import Misconfigured
from app.eventlog.server import ValkeyServer, valkey_url
from app.operators.settings import shown

_HOSTED: dict[str, tuple[str, dict[str, object]]] = {
    "redis://valkey": ("valkey:6379", {}),
    "redis://10.0.0.7:6380/2": ("10.0.0.7:6380", {"db": 2}),
    "redis://[::1]:6379": ("::1:6379", {"host": "::1"}),
    "redis://:secret@redis-1": ("redis-1:6379", {"password": "secret"}),
    "redis://default:s3cr%40t@redis.railway.internal:6379": (
        "redis.railway.internal:6379",
        {"username": "default", "password": "s3cr@t"},
    ),
    "rediss://default:AbC=@eu1.example.io:6379": ("eu1.example.io:6379", {"password": "AbC="}),
    "rediss://:key=@name.example.net:6380/0": ("name.example.net:6380", {"db": 0}),
    "valkey://user:pw@valkey.example.org": ("valkey.example.org:6379", {"username": "user"}),
    "valkeys://default:pw@chat.example.com:12691": ("chat.example.com:12691", {}),
    "REDIS://Cache.example.org": ("cache.example.org:6379", {}),
    "redis://cache?db=3": ("cache:6379", {"db": 3}),
    "rediss://:pw@ec2.example.com:6479?ssl_cert_reqs=none": (
        "ec2.example.com:6479",
        {"ssl_cert_reqs": "none", "ssl_check_hostname": False},
    ),
    "unix:///run/valkey/valkey.sock?db=1": ("/run/valkey/valkey.sock", {"path": "/run/valkey/valkey.sock", "db": 1}),
    "unix://:pw@/run/valkey.sock": ("/run/valkey.sock", {"password": "pw"}),
}
_WRONG = {
    "http://valkey:6379": "no server that is supported",
    "redis+sentinel://sentinel:26379/primary": "no server that is supported",
    "redis-cluster://node": "no server that is supported",
    "valkey.example.org:6379": "no server that is supported",
    "redis://": "no host",
    "redis://:secret@:6379": "no host",
    "redis://a:6379,b:6379": "several servers",
    "redis://:secret@a,b": "several servers",
    "redis://user:sec/ret@host": "cannot be read",
    "redis://host:port": "cannot be read",
    "redis://host:70000": "cannot be read",
    "redis://host/first": "database is not a number",
    "redis://host?db=-1": "database is not a number",
    "redis://host?timeout=5": "parameter timeout is unknown",
    "redis://:secret@host?ssl_cert_reqs=none": "its scheme is without TLS",
    "rediss://:secret@host?ssl_cert_reqs=perhaps": "ssl_cert_reqs has an unknown value",
    "rediss://host?ssl_ca_certs=/nowhere.pem": "there is no file /nowhere.pem",
    "unix://": "no path",
}


@pytest.mark.parametrize("text", _HOSTED)
def test_what_hosts_hand_out_is_understood(text: str) -> None:
    """With TLS where the scheme says so; what operators are shown has no password."""
    server = valkey_url(text)
    name, options = _HOSTED[text]
    assert server.shown == name
    assert options.items() <= server.options.items()
    assert server.uses_tls == text.startswith(("rediss", "valkeys"))
    assert server.client() is not server.client()
    secret = server.options.get("password")
    assert secret is None or secret not in repr(server) + shown(text)


@pytest.mark.parametrize("text", _WRONG)
def test_what_is_wrong_is_one_line(text: str) -> None:
    """With the setting, the next step, and no password."""
    with pytest.raises(Misconfigured) as caught:
        valkey_url(text)
    line = str(caught.value)
    assert line.startswith("CHAT_VALKEY_URL: ")
    assert _WRONG[text] in line
    assert " Next: " in line
    assert "\n" not in line
    assert "sec" not in line.replace("several servers", "")


def test_certificates_are_files(tmp_path: Path) -> None:
    """They have to be there."""
    authority = tmp_path / "ca.pem"
    authority.touch()
    assert valkey_url(f"rediss://host?ssl_ca_certs={authority}") == ValkeyServer(
        "host:6379", {"host": "host", "port": 6379, "ssl_ca_certs": str(authority)}, uses_tls=True
    )
