"""How the process starts: with valid settings, or not at all."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import LiveServer
from tests.support.wire import Wire, get, post

_ROOT = Path(__file__).parent.parent.parent


def _run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run until it exits by itself."""
    command = [sys.executable, "-m", "app", *arguments]
    return subprocess.run(
        command, cwd=_ROOT, env=os.environ | settings, capture_output=True, encoding="utf-8", timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"CHAT_PROT": "8001"}, "did you mean CHAT_PORT?"),
        ({"CHAT_HEARTBEAT_SECOND": "3"}, "did you mean CHAT_HEARTBEAT_SECONDS?"),
        ({"chat_bots": "simulator"}, "did you mean CHAT_BOT?"),
        ({"CHAT_XYZZY": "1"}, "CHAT_XYZZY is not a setting"),
        ({"CHAT_PORT": "70000"}, "CHAT_PORT: "),
        ({"CHAT_BOT": "eliza"}, "CHAT_BOT: "),
        ({"CHAT_DATABASE_URL": "mysql://localhost/chat"}, "CHAT_DATABASE_URL: use sqlite:///FILE or postgresql://"),
        ({"CHAT_DRAIN_SECONDS": "-1"}, "CHAT_DRAIN_SECONDS: "),
        ({"CHAT_LOG_LEVEL": "loud"}, "CHAT_LOG_LEVEL: "),
        ({"CHAT_TRUSTED_PROXIES": '["10.0.0.1/8"]'}, "CHAT_TRUSTED_PROXIES: 10.0.0.1/8 is an address within a network"),
        ({"CHAT_TRUSTED_PROXIES": '["127.0.0.1", "nginx"]'}, "CHAT_TRUSTED_PROXIES: 'nginx' is no address"),
        ({"CHAT_TRUSTED_PROXIES": '[""]'}, "CHAT_TRUSTED_PROXIES: '' is no address"),
        ({"CHAT_TRUSTED_PROXIES": '["10.0.0.0/33"]'}, "CHAT_TRUSTED_PROXIES: '10.0.0.0/33' is no address"),
        ({"CHAT_TRUSTED_PROXIES": '["fe80::1%eth0/64"]'}, "CHAT_TRUSTED_PROXIES: "),
        ({"CHAT_ALLOWED_HOSTS": '["https://example.org"]'}, "CHAT_ALLOWED_HOSTS: "),
    ],
    ids=lambda value: "=".join(*value.items()) if isinstance(value, dict) else "",
)
def test_a_setting_that_is_not_understood_is_refused_with_a_hint(settings: dict[str, str], hint: str) -> None:
    """A typo must not silently select the default."""
    ended = _run(**settings)
    assert ended.returncode == 2
    assert hint in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not ended.stdout


def test_a_flag_that_is_not_understood_is_refused() -> None:
    """By its name or its value."""
    assert _run("--prot", "1").returncode == 2
    ended = _run("--port", "many")
    assert ended.returncode == 2
    assert "CHAT_PORT: " in ended.stderr


def test_help_names_the_flags() -> None:
    """And exits with 0."""
    ended = _run("--help")
    assert ended.returncode == 0
    for flag in ("--host", "--port", "--bot"):
        assert flag in ended.stdout


def test_a_port_that_is_taken_is_no_traceback(tmp_path: Path) -> None:
    """The most common mistake."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        ended = _run("--port", port, CHAT_DATABASE_URL=f"sqlite:///{tmp_path}/chat.db")
    assert ended.returncode != 0
    assert "address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_flags_win_over_the_environment() -> None:
    """The more specific source wins."""
    with LiveServer(port=1) as server, Wire(server.port) as wire:
        wire.send(get("/api/ready"))
        assert wire.answer().status == 200


def test_the_default_bot_greets() -> None:
    """Word by word; with a pace of 0, at once."""
    with LiveServer(bot="greeter", greeter_pace_ms=0) as server, Wire(server.port) as wire:
        wire.send(post("hello"))
        transcript = wire.answer().transcript()
    assert transcript.words == ("Hi ", "there! ", "How ", "can ", "I ", "help ", "you ", "today?")


def test_a_server_that_does_not_start_is_told_with_its_log() -> None:
    """A test of the tests' own support: it must fail loudly."""
    with pytest.raises(AssertionError, match="ended with 2"), LiveServer(log_level="loud"):
        pass
