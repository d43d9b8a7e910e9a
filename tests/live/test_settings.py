"""How the process starts: with valid settings, or not at all."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.forks import fork
from tests.support.server import LiveServer
from tests.support.wire import Wire, get, post

_ROOT = Path(__file__).parent.parent.parent
_PLAIN = {name: value for name, value in os.environ.items() if not name.upper().startswith("CHAT_")}


def _run(*arguments: str, **settings: str) -> tuple[int, list[str]]:
    """Run until it ends by itself. Its exit status, and the lines that it printed to either stream."""
    ended = fork("app", arguments, _PLAIN | settings)
    with ended.stdout:
        printed = ended.stdout.read()
    return ended.wait(120), printed.splitlines()


def _named(value: object) -> str:
    """The settings of an example."""
    return " ".join(map("=".join, value.items())).encode("ascii", "replace").decode() if isinstance(value, dict) else ""


def _program(command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The same, from a shell."""
    return subprocess.run(
        ["sh", "-c", command.replace("APP", f"{sys.executable} -m app")],
        cwd=_ROOT,
        env=_PLAIN | settings,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"CHAT_PROT": "8001"}, "CHAT_PROT: this is not a setting; did you mean CHAT_PORT"),
        ({"CHAT_HEARTBEAT_SECOND": "3"}, "CHAT_HEARTBEAT_SECOND: .* did you mean CHAT_HEARTBEAT_SECONDS"),
        ({"chat_bots": "simulator"}, "chat_bots: .* did you mean CHAT_BOT"),
        ({"CHAT_OPENAI_API_KEY_FIEL": "x"}, "CHAT_OPENAI_API_KEY_FIEL: .* did you mean CHAT_OPENAI_API_KEY_FILE"),
        ({"CHAT_XYZZY": "1"}, "CHAT_XYZZY: this is not a setting. Next: `python -m app settings` lists all settings"),
        ({"CHAT_XYZZY_PORT": "8000"}, "CHAT_XYZZY_PORT: this is not a setting"),
        ({"CHAT_PORT": "70000"}, "CHAT_PORT: must be at most 65535"),
        ({"CHAT_PORT": "many"}, "CHAT_PORT: write a whole number"),
        ({"CHAT_BOT": "eliza"}, "CHAT_BOT: "),
        ({"CHAT_DATABASE_URL": "mysql://localhost/chat"}, "CHAT_DATABASE_URL: "),
        ({"CHAT_DRAIN_SECONDS": "-1"}, "CHAT_DRAIN_SECONDS: must be at least 0"),
        ({"CHAT_DRAIN_SECONDS": "20s"}, "CHAT_DRAIN_SECONDS: write a number"),
        ({"CHAT_LOG_LEVEL": "loud"}, "CHAT_LOG_LEVEL: write one of `debug`, `info`, `warning`, `error`"),
        ({"CHAT_ALLOW_ANYONE": "perhaps"}, "CHAT_ALLOW_ANYONE: write true or false"),
        ({"CHAT_TRUSTED_PROXIES": "10.0.0.1/8"}, "CHAT_TRUSTED_PROXIES: 10.0.0.1/8 is an address within a network"),
        ({"CHAT_TRUSTED_PROXIES": '["127.0.0.1", "nginx"]'}, "CHAT_TRUSTED_PROXIES: 'nginx' is no address"),
        ({"CHAT_TRUSTED_PROXIES": '[""]'}, "CHAT_TRUSTED_PROXIES: '' is no address"),
        ({"CHAT_TRUSTED_PROXIES": "10.0.0.0/33"}, "CHAT_TRUSTED_PROXIES: '10.0.0.0/33' is no address"),
        ({"CHAT_TRUSTED_PROXIES": "fe80::1%eth0/64"}, "CHAT_TRUSTED_PROXIES: "),
        ({"CHAT_ALLOWED_HOSTS": "https://example.org"}, "CHAT_ALLOWED_HOSTS: .*Next: write the name alone"),
        ({"CHAT_ALLOWED_HOSTS": "*"}, r"CHAT_ALLOWED_HOSTS: \* is not a host"),
        ({"CHAT_ALLOWED_ORIGINS": "*"}, r"CHAT_ALLOWED_ORIGINS: '\*' is not an origin"),
        ({"CHAT_ALLOWED_ORIGINS": "https://example.org/chat"}, "CHAT_ALLOWED_ORIGINS: .*write https://example.org$"),
        ({"CHAT_JWT_ALGORITHMS": "RS256,HS256"}, "CHAT_JWT_ALGORITHMS: item 2: write one of `RS256`"),
        ({"CHAT_JWT_ISSUER": "https://issuer.example"}, "CHAT_JWT_ISSUER, .* set all three$"),
        ({"CHAT_OPENAI_HEADERS": "X: 1"}, "CHAT_OPENAI_HEADERS: write a JSON object"),
        ({"CHAT_OPENAI_HEADERS": '{"X": "secret\\n"}'}, "CHAT_OPENAI_HEADERS: the value of X has a line break"),
        ({"CHAT_OPENAI_HEADERS": '{"X Y": "secret"}'}, "CHAT_OPENAI_HEADERS: 'X Y' cannot be the name of a header"),
        ({"CHAT_OPENAI_HEADERS": '{"Content-Length": "1"}'}, "CHAT_OPENAI_HEADERS: Content-Length is sent by the ser"),
        ({"CHAT_OPENAI_API_KEY": "a secret"}, "CHAT_OPENAI_API_KEY: a key is ASCII, without spaces"),
        ({"CHAT_OPENAI_API_KEY_FILE": "/nowhere"}, "CHAT_OPENAI_API_KEY_FILE: /nowhere cannot be read: No such file"),
        ({"CHAT_OPENAI_API_KEY_FILE": "/"}, "CHAT_OPENAI_API_KEY_FILE: / cannot be read: Is a directory"),
        ({"CHAT_OPENAI_API_KEY_FILE": "/dev/null"}, "CHAT_OPENAI_API_KEY_FILE: /dev/null is empty"),
        (
            {"CHAT_OPENAI_API_KEY": "secret", "CHAT_OPENAI_API_KEY_FILE": "/dev/null"},
            "CHAT_OPENAI_API_KEY(_FILE)?: CHAT_OPENAI_API_KEY(_FILE)? sets the same",
        ),
        ({"CHAT_HOST": "http://127.0.0.1"}, "CHAT_HOST: write the address alone"),
        ({"CHAT_HOST": "127.0.0.1:8000"}, "CHAT_HOST: write the address alone"),
        ({"CHAT_SYSTEM_PROMPT": "\udcff"}, "CHAT_SYSTEM_PROMPT: it is not valid UTF-8"),
    ],
    ids=_named,
)
def test_a_setting_that_is_not_understood_is_refused_with_one_line(settings: dict[str, str], line: str) -> None:
    """A typo must not silently mean the default; and a secret is not repeated."""
    status, printed = _run(**settings)
    assert status == 2
    (told,) = printed
    assert re.match(line, told), told
    assert "secret" not in told


def test_each_problem_has_a_line() -> None:
    """Whoever corrects one does not have to start again to learn of the next."""
    wrong = {"CHAT_PROT": "1", "CHAT_XYZZY": "1", "CHAT_BOT_FILE": "/nowhere", "CHAT_PORT": "x", "CHAT_LOG_LEVEL": "x"}
    status, printed = _run(**wrong)
    assert status == 2
    assert {line.partition(": ")[0] for line in printed} == set(wrong)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--prot", "1"], "python -m app: '--prot' is not understood; did you mean --port?"),
        (["--log-level=debug"], "python -m app: --log-level: set CHAT_LOG_LEVEL. Next: python -m app --help"),
        (["--port"], "python -m app: argument --port: expected one argument. Next: python -m app --help"),
        (["--port", "many"], "CHAT_PORT: write a whole number"),
        (["kyes"], "python -m app: 'kyes' is not a command; did you mean keys?"),
        (["8000"], "python -m app: '8000' is not a command. Next: one of conversations, keys, settings"),
        (["keys"], "python -m app keys: a command is missing. Next: one of create, list, revoke"),
        (["keys", "creat"], "python -m app keys: 'creat' is not a command; did you mean create?"),
        (
            ["keys", "create", "a", "--expire", "1"],
            "python -m app keys: '--expire' is not understood; did you mean --exp",
        ),
        (
            ["conversations", "purge"],
            "python -m app conversations purge: the following arguments are required: --older",
        ),
        (["settings", "--jsno"], "python -m app settings: '--jsno' is not understood; did you mean --json?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_argument_that_is_not_understood_is_refused_with_one_line(arguments: list[str], line: str) -> None:
    """The nearest one is named, or where all are."""
    status, printed = _run(*arguments)
    assert status == 2
    (told,) = printed
    assert told.startswith(line)


def test_help_names_the_flags_and_the_commands() -> None:
    """And ends well, whatever the settings are."""
    status, printed = _run("--help")
    assert status == 0
    for name in ("--host", "--port", "--bot", "keys", "conversations", "settings", "docs/operators.md"):
        assert name in "\n".join(printed)
    assert _run("keys", "create", "--help", CHAT_PORT="x")[0] == 0


@pytest.mark.parametrize("kind", ["in use", "not of this machine", "unknown", "too long", "public"])
def test_an_address_that_cannot_be_had_is_one_line(kind: str, tmp_path: Path) -> None:
    """The commonest mistake of all. Nothing is listened on meanwhile."""
    database = {"CHAT_DATABASE_URL": f"sqlite:///{tmp_path}/chat.db", "CHAT_LOG_LEVEL": "warning"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        arguments, expected, line = {
            "in use": (["--port", port], 3, f"CHAT_PORT: 127.0.0.1:{port} is in use by another program. Next: "),
            "not of this machine": (["--host", "192.0.2.1"], 3, "CHAT_HOST: 192.0.2.1 is not an address of this mach"),
            "unknown": (["--host", "nowhere.invalid"], 3, "CHAT_HOST: the host 'nowhere.invalid' is not known. Next"),
            "too long": (["--host", "x" * 100], 3, f"CHAT_HOST: the host '{'x' * 100}' is not known. Next"),
            "public": (["--host", "0.0.0.0", "--port", "0"], 2, "CHAT_HOST: this address can be reached from outside"),  # noqa: S104
        }[kind]
        status, printed = _run(*arguments, **database)
    assert status == expected
    (told,) = printed
    assert told.startswith(line)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"CHAT_DATABASE_URL": "sqlite:////proc/nowhere/chat.db"}, ""),
        ({"CHAT_DATABASE_URL": "postgresql://somebody:secret@127.0.0.1:1/chat"}, ""),
        ({"CHAT_BOT": "openai"}, "CHAT_BOT: the bot `openai` needs an engine. Next: set CHAT_OPENAI_BASE_URL"),
        ({"CHAT_BOT": "local", "CHAT_LOCAL_MODEL_PATH": "/nowhere.gguf"}, "CHAT_BOT: "),
    ],
    ids=_named,
)
def test_a_part_that_cannot_be_had_is_one_line(settings: dict[str, str], line: str) -> None:
    """A database or a bot; where it was raised is told at the level `debug` alone, and nothing secret ever."""
    status, printed = _run("--port", "0", CHAT_LOG_LEVEL="warning", **settings)
    assert status in {2, 3}
    (told,) = printed
    assert told.startswith(line)
    status, printed = _run("--port", "0", CHAT_LOG_LEVEL="debug", **settings)
    assert '", line ' in "\n".join(printed)
    assert "secret" not in "\n".join(printed)


def test_a_server_of_others_is_told_as_briefly(tmp_path: Path) -> None:
    """`uvicorn app.main:app` prints tracebacks of its own accord."""
    uvicorn = f"{sys.executable} -m uvicorn app.main:app --port 0"
    ended = _program(uvicorn, CHAT_PROT="1", CHAT_PORT="x")
    assert ended.returncode == 2
    assert ended.stderr == (
        "CHAT_PROT: this is not a setting; did you mean CHAT_PORT?\nCHAT_PORT: write a whole number\n"
    )
    (tmp_path / "file").touch()
    ended = _program(uvicorn, CHAT_DATABASE_URL=f"sqlite:///{tmp_path}/file/chat.db")
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 3


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        ("APP keys list >&-", 3, "standard output is closed"),
        ("APP settings >/dev/full", 3, "No space left on device"),
        ("(APP settings; echo $? >&2) | true", 0, "[01]"),
        ("APP settings <&- 2>&- | grep -q CHAT_PORT", 0, ""),
        ('mkdir "$GONE"; cd "$GONE"; rmdir "$GONE"; APP', 3, "the working directory does not exist. Next: "),
    ],
)
def test_surroundings_that_are_missing_are_no_traceback(command: str, status: int, told: str, tmp_path: Path) -> None:
    """Supervisors close streams, `head` leaves, disks are full, folders are deleted."""
    surroundings = {"GONE": f"{tmp_path}/gone", "PYTHONPATH": str(_ROOT)}
    ended = _program(command, CHAT_DATABASE_URL=f"sqlite:///{tmp_path}/chat.db", **surroundings)
    assert ended.returncode == status
    assert re.match(told, ended.stderr)
    assert ended.stderr.count("\n") == bool(told)


def test_the_log_says_what_has_started() -> None:
    """The bot and its model, the database, who may ask, and what to open; nothing that is secret."""
    with LiveServer(
        bot="openai",
        openai_base_url="http://127.0.0.1:1/v1?key=secret",
        openai_model="small",
        port="tcp://10.0.0.1:8000",
        service_host="10.0.0.1",
        backend_port_8000_tcp="tcp://10.0.0.1:8000",
    ) as server:
        entries = {str(entry["event"]): entry for entry in server.log_entries()}
    assert entries["replies come from the bot"].items() >= {"bot": "openai", "model": "small"}.items()
    assert entries["replies come from the bot"]["engine"] == "http://127.0.0.1:1/v1"
    database = entries["conversations are stored in the database"]
    assert database.items() >= {"kind": "SQLite", "file": server.database_url.removeprefix("sqlite:///")}.items()
    assert any(event.startswith("no credentials are required") for event in entries)
    assert f"the service is running on http://127.0.0.1:{server.port}/" in entries
    (ignored,) = (entry for event, entry in entries.items() if "Kubernetes" in event)
    assert ignored["names"] == ["CHAT_PORT", "CHAT_SERVICE_HOST", "CHAT_BACKEND_PORT_8000_TCP"]
    assert "secret" not in server.log()


@pytest.mark.parametrize(
    ("host", "shown", "reached"),
    [
        ("0.0.0.0", "127.0.0.1", ["127.0.0.1"]),  # noqa: S104
        ("::", "127.0.0.1", ["127.0.0.1", "::1"]),
        ("[::1]", "[::1]", ["::1"]),
        ("localhost", "localhost", ["127.0.0.1"]),
    ],
)
def test_the_address_to_open_is_one_that_can_be_opened(host: str, shown: str, reached: list[str]) -> None:
    """Also where the service listens on all of them; and in brackets where URLs need them."""
    with LiveServer(allow_anyone="yes", host=host) as server:
        assert f"running on http://{shown}:{server.port}/" in server.log()
        for address in reached:
            with socket.create_connection((address, server.port)) as connection:
                connection.sendall(get("/api/health"))
                assert connection.recv(15) == b"HTTP/1.1 200 OK"


def test_settings_are_shown_with_where_they_come_from(tmp_path: Path) -> None:
    """For people and for programs. Secrets are masked, wherever they hide."""
    key = tmp_path / "key"
    key.write_bytes(b"\xef\xbb\xbfsecret-key\r\n")
    settings = {
        "CHAT_OPENAI_API_KEY_FILE": str(key),
        "CHAT_OPENAI_HEADERS": '{"X-Key": "secret"}',
        "CHAT_OPENAI_EXTRA_BODY": '{"api_key": "secret", "top_k": 3, "more": {"password": "secret"}}',
        "CHAT_OPENAI_BASE_URL": "http://127.0.0.1/v1?key=secret",
        "CHAT_DATABASE_URL": "postgresql://somebody:secret@host/chat?password=secret",
        "CHAT_ALLOWED_HOSTS": "example.org , *.example.org",
        "CHAT_OPENAI_MODEL": '""',
    }
    status, printed = _run("settings", **settings)
    assert status == 0
    rows = {name: (value.strip(), source) for name, value, source in map(_row, printed)}
    assert rows["CHAT_OPENAI_API_KEY"] == ("********", f"file {key}")
    assert rows["CHAT_ALLOWED_HOSTS"] == ("example.org, *.example.org", "environment")
    assert rows["CHAT_OPENAI_MODEL"] == ("—", "default")
    assert rows["CHAT_PORT"] == ("8000", "default")
    assert rows["CHAT_DATABASE_URL"][0] == "postgresql://somebody:********@host/chat?password=********"
    assert '"top_k": 3' in rows["CHAT_OPENAI_EXTRA_BODY"][0]
    assert "secret" not in "\n".join(printed)
    status, printed = _run("settings", "--json", **settings)
    listed = json.loads("\n".join(printed))
    assert [row["name"] for row in listed] == list(rows)
    assert {row["name"]: row["source"] for row in listed} == {name: source for name, (_, source) in rows.items()}


def _row(line: str) -> tuple[str, str, str]:
    name, rest = line.split(maxsplit=1)
    value, source = re.fullmatch(r"(.*?)  +(default|environment|file .*)", rest).groups()  # type: ignore[union-attr]
    return name, value, source


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
