"""The systemd unit's command in its environment, with the port of the socket unit, which systemd's own tool opens."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.ports import free_port
from tests.deploy.image import ROOT
from tests.deploy.proxies import FILES
from tests.support.waiting import wait_until
from tests.support.wire import Wire, get

_PATIENCE_SECONDS = 60.0


def test_a_client_that_comes_before_the_service_is_answered(tmp_path: Path) -> None:
    """It starts the service, which then stops as systemd would stop it."""
    program = shutil.which("systemd-socket-activate")
    if program is None:
        pytest.skip("there is no systemd-socket-activate on this machine")
    port = free_port()
    (listens,) = re.findall(r"^ListenStream=(.+)$", (FILES / "chat.socket").read_text("utf-8"), re.MULTILINE)
    unit = (FILES / "chat.service").read_text("utf-8").replace("/opt/chat", str(ROOT))
    unit = unit.replace("/var/lib/chat", str(tmp_path))
    (command,) = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    variables = [f"--setenv={variable}" for variable in re.findall(r"^Environment=(.+)$", unit, re.MULTILINE)]
    listen = f"--listen={listens.replace(':8000', f':{port}')}"
    with subprocess.Popen(
        [program, listen, *variables, *shlex.split(command)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until(lambda: _is_open(port))
            with Wire(port) as wire:
                wire.send(get("/api/ready"))
                assert wire.answer().status == 200
            assert (tmp_path / "chat.db").is_file()
            process.terminate()
            assert process.wait(_PATIENCE_SECONDS) in {0, -15}
        finally:
            process.kill()


def _is_open(port: int) -> bool:
    try:
        Wire(port).__exit__(None, None, None)
    except OSError:
        return False
    return True
