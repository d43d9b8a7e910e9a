"""A listening socket that a service manager has opened, as systemd does."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.stream import check_stream
from tests.support.wire import Wire, get, post

ROOT = Path(__file__).parent.parent.parent
_PATIENCE_SECONDS = 60.0
_AS_SYSTEMD = 'exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" -m app --bot simulator'


@contextmanager
def _started(made: socket.socket, folder: Path, command: str = _AS_SYSTEMD) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        ["sh", "-c", command, sys.executable],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CHAT_PORT": "0"},
        stdin=made.fileno(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def _first_line(process: subprocess.Popen[str], wanted: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if re.search(wanted, line):
            return line
    raise AssertionError(f"it ended without {wanted!r}")


def test_nobody_is_refused_while_the_service_restarts(tmp_path: Path) -> None:
    """Who comes meanwhile waits, and a reply that was running has ended."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        port = made.getsockname()[1]
        with Wire(port) as early:  # before there is a service
            early.send(post("/simulate pace_ms=200\none two three"))
            with _started(made, tmp_path) as old:
                assert f":{port}/" in _first_line(old, "running on")
                assert early.head()[0] == 200
                old.terminate()
                said = b""
                while piece := early.chunk():
                    said += piece
                assert check_stream(said).text == "one two three"
                old.wait(_PATIENCE_SECONDS)
            with Wire(port) as between:
                between.send(get("/api/health"))
                with _started(made, tmp_path):
                    assert between.answer().status == 200


def test_a_public_one_requires_credentials_as_any_other(tmp_path: Path) -> None:
    """The address of the socket counts, not the setting."""
    with socket.create_server(("0.0.0.0", 0)) as made, _started(made, tmp_path) as process:  # noqa: S104 - it is refused
        assert "CHAT_ALLOW_ANYONE=1" in _first_line(process, "CHAT_HOST")
        assert process.wait(_PATIENCE_SECONDS) == 2


def test_another_kind_of_socket_is_refused(tmp_path: Path) -> None:
    """In one line, with what to do."""
    with socket.socket(socket.AF_UNIX) as made, _started(made, tmp_path) as process:
        assert "set ListenStream to a port" in _first_line(process, "LISTEN_FDS")
        assert process.wait(_PATIENCE_SECONDS) in {2, 3}


def test_sockets_of_another_process_are_left_alone(tmp_path: Path) -> None:
    """The variables may have been inherited from one that was started by systemd."""
    command = _AS_SYSTEMD.replace("LISTEN_PID=$$", "LISTEN_PID=1")
    with socket.create_server(("127.0.0.1", 0)) as made, _started(made, tmp_path, command) as process:
        assert f":{made.getsockname()[1]}/" not in _first_line(process, "running on")
