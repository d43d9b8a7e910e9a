"""The Dockerfile's command in its environment, on a read-only root without a shell, as PID 1 of another user."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.image import Container
from tests.support.stream import check_stream
from tests.support.wire import Wire, post

_PATIENCE_SECONDS = 60.0


@pytest.fixture
def container(tmp_path: Path) -> Container:
    """The image, with an empty volume."""
    return Container(tmp_path)


def _printed(command: list[str], status: int) -> str:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=_PATIENCE_SECONDS)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_it_serves_who_has_a_key_and_stops_when_it_is_told(container: Container) -> None:
    """Without a key it does not start, because others can reach it. A running reply ends before it stops."""
    assert "CHAT_ALLOW_ANYONE=1" in _printed(container.command(port="0"), 2)
    (key,) = re.findall(r"^chat_\S+$", _printed(container.command("keys", "create", "alice"), 0), re.MULTILINE)
    with container.running(port="0", bot="simulator") as (process, port):
        assert container.health(port) == 0
        with Wire(port) as wire:
            wire.send(post("/simulate pace_ms=200\none two three", {"Authorization": f"Bearer {key}"}))
            assert wire.head()[0] == 200
            container.stop(process)
            said = b""
            while piece := wire.chunk():
                said += piece
        assert check_stream(said).text == "one two three"
        assert process.wait(_PATIENCE_SECONDS) in {0, -15, 143}
        assert container.health(port) != 0


_TRIES = """
import os
for name in ("/chat/x", "/venv/x", "/x", "/data/x"):
    try:
        open(name, "w").close()
    except OSError as error:
        print(name, error.strerror)
print(os.getpid(), os.getuid(), os.path.exists("/bin/sh"))
"""


def test_it_can_write_nowhere_but_in_its_volume(container: Container) -> None:
    """And there is no shell."""
    *refused, last = container.python(_TRIES).splitlines()
    assert refused == [f"{name} Read-only file system" for name in ("/chat/x", "/venv/x", "/x")]
    assert last == f"1 {container.file.user} False"
