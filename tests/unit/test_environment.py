"""Settings are understood as people write them, and what is not a setting is told from a typing error."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.contradictions import contradictions
from app.environment.links import is_service_link
from app.settings import Settings


def _read(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> Any:  # noqa: ANN401 - of any setting
    monkeypatch.setenv(f"CHAT_{name.upper()}", text)
    return getattr(Settings(), name.removesuffix("_file"))


_LISTS = {
    "": [],
    " ": [],
    "example.org": ["example.org"],
    "example.org,*.example.org": ["example.org", "*.example.org"],
    " example.org , *.example.org\r\n": ["example.org", "*.example.org"],
    "example.org *.example.org": ["example.org", "*.example.org"],
    "example.org\n*.example.org,\n": ["example.org", "*.example.org"],
    '"example.org,*.example.org"': ["example.org", "*.example.org"],
    '"example.org", "*.example.org"': ["example.org", "*.example.org"],
    '["example.org", "*.example.org"]': ["example.org", "*.example.org"],
    "'[\"example.org\"]'": ["example.org"],
    "[]": [],
    "::1, [::2], 127.0.0.1": ["[::1]", "[::2]", "127.0.0.1"],
    "[::1]": ["[::1]"],
}


@pytest.mark.parametrize("text", _LISTS, ids=repr)
def test_a_list_is_read_as_people_write_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With commas, white space or quotes, or as JSON; an empty one is none."""
    assert _read(monkeypatch, "allowed_hosts", text) == _LISTS[text]


def test_every_list_is_read_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its items are of other kinds."""
    assert _read(monkeypatch, "trusted_proxies", "10.0.0.0/8, 127.0.0.1") == ["10.0.0.0/8", "127.0.0.1"]
    assert _read(monkeypatch, "jwt_algorithms", "rs256, eddsa") == ["RS256", "EdDSA"]
    assert _read(monkeypatch, "jwt_algorithms", "") == Settings.model_fields["jwt_algorithms"].default


_ORIGINS = {
    "https://example.org": "https://example.org",
    "HTTPS://Example.ORG/": "https://example.org",
    "https://example.org:443": "https://example.org",
    "http://localhost:80/": "http://localhost",
    "http://localhost:5173": "http://localhost:5173",
    "http://[0:0::1]:5173": "http://[::1]:5173",
    "https://bücher.example": "https://xn--bcher-kva.example",
}


@pytest.mark.parametrize("text", _ORIGINS)
def test_an_origin_is_put_as_browsers_send_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared with their `Origin` has to be the same to the letter."""
    assert _read(monkeypatch, "allowed_origins", text) == [_ORIGINS[text]]


@pytest.mark.parametrize(
    "text",
    ["example.org", "*", "null", "ftp://a", "https://", "https://a:x", "https://u@a", "https://a/b", "https://a?b"],
)
def test_what_is_not_an_origin_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would match nothing, and nobody would know why."""
    with pytest.raises(ValidationError, match="Next: write"):
        _read(monkeypatch, "allowed_origins", text)


_WRITTEN: dict[str, tuple[str, object]] = {
    "bot": ("simulator", "simulator"),
    "port": ("8001", 8001),
    "allow_anyone": ("Yes", True),
    "log_level": ("WARNING", "warning"),
    "drain_seconds": ("2.5", 2.5),
    "database_url": ("sqlite:///other.db", "sqlite:///other.db"),
    "openai_model": ("a/model", "a/model"),
    "openai_extra_body": ('{"top_k": 3}', {"top_k": 3}),
    "jwt_algorithms": ("ES256", ["ES256"]),
}
_AROUND = ["{}", " {} ", "{}\n", "{}\r\n", "\ufeff{}", '"{}"', "'{}'", ' "{}" \n']


@pytest.mark.parametrize("around", _AROUND, ids=ascii)
@pytest.mark.parametrize("name", _WRITTEN)
def test_what_stands_around_a_value_is_not_part_of_it(
    around: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of every setting, whether it is in the environment or in a file; and an empty one is not set."""
    text, value = _WRITTEN[name]
    written, default = around.format(text), Settings.model_fields[name].default
    assert _read(monkeypatch, name, written) == value != default
    assert _read(monkeypatch, name, around.format("")) == default
    monkeypatch.delenv(f"CHAT_{name.upper()}")
    (tmp_path / "file").write_text(written, "utf-8", newline="")
    assert _read(monkeypatch, f"{name}_file", str(tmp_path / "file")) == value
    assert _read(monkeypatch, f"{name}_file", around.format("")) == default


def test_quotes_within_a_value_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does white space."""
    text = '"Yes" or  "no"'
    assert _read(monkeypatch, "system_prompt", text) == text


_LINKS = {
    "CHAT_PORT": "tcp://10.0.0.1:8000",
    "CHAT_SERVICE_HOST": "10.0.0.1",
    "CHAT_SERVICE_PORT": "8000",
    "CHAT_SERVICE_PORT_HTTP": "8000",
    "CHAT_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "CHAT_PORT_8000_TCP_ADDR": "10.0.0.1",
    "CHAT_PORT_8000_TCP_PORT": "8000",
    "CHAT_PORT_8000_TCP_PROTO": "tcp",
    "CHAT_BACKEND_PORT": "udp://[fd00::1]:8000",
    "CHAT_BACKEND_SERVICE_HOST": "fd00::1",
}


def test_what_kubernetes_sets_for_a_service_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name and value, so that a typing error does not pass for it."""
    for name, value in _LINKS.items():
        assert is_service_link(name, value)
        monkeypatch.setenv(name, value)
    assert Settings().port == 8000
    for name in _LINKS:
        assert not is_service_link(name, "yes")
    for name in ("CHAT_HOST", "CHAT_SERVICE_HOSTS", "CHAT_PORTS", "CHAT_PORT_8000"):
        assert not is_service_link(name, "10.0.0.1")
        assert not is_service_link(name, "tcp://10.0.0.1:8000")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"heartbeat_seconds": 130}, ["CHAT_HEARTBEAT_SECONDS", "CHAT_KEEP_ALIVE_SECONDS"]),
        ({"bot_silence_seconds": 700}, ["CHAT_BOT_SILENCE_SECONDS", "CHAT_REPLY_SECONDS"]),
        ({"streams_per_client": 3_000}, ["CHAT_STREAMS_PER_CLIENT", "CHAT_MAX_OPEN_STREAMS"]),
        ({"openai_base_url": "http://127.0.0.1/v1"}, ["CHAT_OPENAI_BASE_URL", "CHAT_BOT=openai"]),
        ({"local_slots": 2}, ["CHAT_LOCAL_SLOTS", "CHAT_BOT=local"]),
        ({"bot": "openai", "openai_queue_seconds": 2}, ["CHAT_OPENAI_QUEUE_SECONDS", "CHAT_FIRST_WORD_SECONDS"]),
        ({"bot": "openai", "reply_seconds": 299, "openai_first_token_seconds": 9}, ["CHAT_OPENAI_FIRST_BYTE_SECONDS"]),
        ({"bot": "local", "max_tokens": 4_000}, ["CHAT_MAX_TOKENS", "CHAT_LOCAL_CONTEXT_TOKENS"]),
        ({"jwt_issuer": "x", "jwt_audience": "x", "jwt_keys_url": "http://example.org/"}, ["CHAT_JWT_KEYS_URL"]),
        ({"metrics": False, "metrics_port": 9464}, ["CHAT_METRICS_PORT", "CHAT_METRICS=on"]),
        ({"metrics_host": "0.0.0.0"}, ["CHAT_METRICS_HOST", "CHAT_METRICS_PORT"]),  # noqa: S104 - a setting
        ({}, []),
        ({"metrics_host": "0.0.0.0", "metrics_port": 9464}, []),  # noqa: S104 - as above
        ({"jwt_issuer": "x", "jwt_audience": "x", "jwt_keys_url": "http://127.0.0.1/"}, []),
        ({"bot": "openai", "openai_queue_seconds": 1.9}, []),
        ({"bot": "local", "max_tokens": 2_048}, []),
    ],
    ids=str,
)
def test_settings_that_do_not_work_together_are_told(settings: dict[str, Any], named: list[str]) -> None:
    """One sentence each, with both names or what to set."""
    told = list(contradictions(Settings(**settings)))
    assert len(told) == bool(named)
    assert all(name in told[0] and "Next: " in told[0] for name in named)
