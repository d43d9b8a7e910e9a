"""A real PgBouncer in transaction mode in front of a PostgreSQL server."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
"""
"""Few sessions, and nothing that tidies them up: what is left behind in one meets the next client."""


@contextmanager
def pgbouncer(database_url: str) -> Iterator[str]:
    """The URL of the same database, through a pooler."""
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
            yield f"postgresql://postgres@127.0.0.1:{port}/{name}"
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
