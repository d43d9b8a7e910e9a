"""A standby of a PostgreSQL server, to which what is committed is copied before the commit is acknowledged."""

import os
import pwd
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.databases import Postgres
from tests.support.folder import folder

_USER = "embedded_postgres"
_PATIENCE_SECONDS = 60.0


class Standby:
    """A context manager."""

    def __init__(self, primary: Postgres) -> None:
        """Of a server that has its databases already."""
        self._primary = primary

    def __enter__(self) -> Self:
        """Copy the primary, and follow it."""
        from embedded_postgres._commands import POSTGRES_BIN_PATH  # noqa: PLC0415 - only tests that need it pay for it

        self._programs = POSTGRES_BIN_PATH
        self._folder = tempfile.TemporaryDirectory(prefix="sb-", dir=folder(), ignore_cleanup_errors=True)
        self.socket = Path(self._folder.name)
        self._user = _USER if os.geteuid() == 0 else None
        if self._user:
            os.chown(self.socket, pwd.getpwnam(self._user).pw_uid, pwd.getpwnam(self._user).pw_gid)
        self._data = self.socket / "data"
        source = f"host={self._primary.socket} user=postgres"
        self._run("pg_basebackup", "-D", str(self._data), "-R", "-X", "stream", "-c", "fast", "-d", source)
        options = f'-h "" -k {self.socket} -c synchronous_standby_names='
        self._control("start", "-w", "-o", options, "-l", str(self.socket / "log"))
        self._primary.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self._primary.run("SELECT pg_reload_conf()")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while "sync" not in self._primary.run("SELECT sync_state FROM pg_stat_replication"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, and forget what it stored."""
        self._control("stop", "-m", "immediate")
        self._folder.cleanup()

    def promote(self) -> None:
        """Make it the primary, as whoever watches over the two does."""
        self._control("promote", "-w")

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self._data), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as said:  # a server that is started would keep a pipe open
            status = subprocess.run(
                [str(self._programs / program), *arguments],
                user=self._user,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                check=False,
            ).returncode
            said.seek(0)
            assert status == 0, said.read().decode()
