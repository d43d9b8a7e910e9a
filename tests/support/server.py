"""Runs the service as a real process, like an operator would, for tests over real sockets."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.support.databases import migrated_file
from tests.support.folder import folder
from tests.support.forks import Forked, fork

_ROOT = Path(__file__).parent.parent.parent
FROM_SCRATCH = ("-u", "-m", "app")
"""`LiveServer(program=FROM_SCRATCH)`: for tests of the start-up itself, including imports, or of memory: a fork shares
memory with others at first, so it seems to grow."""

_LISTENS = re.compile(r"running on http://[^ /]+:([0-9]+)")


class LiveServer:
    """`python -m app` on a free port of this machine. A context manager; its process does not outlive it."""

    def __init__(
        self,
        bot: str = "simulator",
        *,
        program: Sequence[str] = ("-m", "app"),
        start_seconds: float = 30,
        **settings: object,
    ) -> None:
        """`settings` go into the environment: `drain_seconds=1` as `CHAT_DRAIN_SECONDS=1`.

        Without a `database_url` it has its own temporary database: empty if it runs `FROM_SCRATCH`, otherwise with all
        tables, because making them takes as long as the rest of the start. `program` is what Python runs, for a service
        that is assembled differently; a module (`-m`) runs in a fork of a process that has imported the service.
        """
        self.root = _ROOT
        """Where the service is: another version of it may be somewhere else, which has to run `FROM_SCRATCH`."""
        self._program = program
        self._arguments = ["--host", str(settings.pop("host", "127.0.0.1")), "--port", "0", "--bot", bot]
        self._environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("CHAT_")}
        self._environment |= {f"CHAT_{name.upper()}": str(value) for name, value in settings.items()}
        self._start_seconds = start_seconds
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read_log, name="log of the live server", daemon=True)
        self._folder: tempfile.TemporaryDirectory[str]
        self.process: Forked | subprocess.Popen[str]
        self.port: int

    def __enter__(self) -> Self:
        """Start, and wait until it listens.

        Raises `AssertionError` with the log if it does not.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="server-", dir=folder())
        self.process = self._start()
        self._reader.start()
        try:
            line = self.wait_for_log(lambda line: _LISTENS.search(line) is not None, self._start_seconds)
        except BaseException:
            self._kill()
            raise
        match = _LISTENS.search(line)
        self.port = int(match[1]) if match else 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no process behind."""
        self._kill()

    @property
    def database_url(self) -> str:
        """The service's database."""
        return self._environment.get("CHAT_DATABASE_URL", f"sqlite:///{self._folder.name}/chat.db")

    @property
    def url(self) -> str:
        """Its address, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        """All that it has printed so far, to either stream."""
        with self._news:
            return "".join(self._lines)

    def log_entries(self) -> list[dict[str, object]]:
        """The log, parsed.

        Raises `AssertionError` or `ValueError` if a line is not a JSON object.
        """
        entries: list[dict[str, object]] = []
        for line in self.log().splitlines():
            if not line.startswith("{"):
                raise AssertionError(f"a line of the log is not a JSON object: {line!r}")
            entries.append(json.loads(line))
        return entries

    def wait_for_log(self, wanted: Callable[[str], bool], timeout: float = 10) -> str:
        """Wait for the first line that is `wanted`, including earlier lines.

        Raises `AssertionError` with the log if the process ends, or `timeout` seconds pass, without it.
        """
        seen = 0

        def found() -> str | None:
            nonlocal seen
            new, seen = self._lines[seen:], len(self._lines)
            return next(filter(wanted, new), None)

        line: str | None = None

        def over() -> bool:
            nonlocal line
            line = found()
            return line is not None or self._ended

        with self._news:
            self._news.wait_for(over, timeout)
        if line is None:
            how = f"ended with {self.process.wait(timeout=5)}" if self._ended else f"did not in {timeout} s"
            raise AssertionError(f"the server should have logged a line, but {how}. Its log:\n{self.log()}")
        return line

    def terminate(self) -> None:
        """Send SIGTERM, like an orchestrator."""
        self.process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """Send SIGINT, like Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def wait(self, timeout: float = 10) -> int:
        """Wait for the exit status; minus the signal's number if a signal ended the process.

        Raises `AssertionError` with the log if it has not ended after `timeout` seconds.
        """
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server still runs after {timeout} s. Its log:\n{self.log()}") from None
        self._reader.join(5)
        return status

    def _start(self) -> Forked | subprocess.Popen[str]:
        environment = {"CHAT_DATABASE_URL": f"sqlite:///{self._folder.name}/chat.db"} | self._environment
        if self._program[0] == "-m":
            if environment != self._environment:
                Path(self._folder.name, "chat.db").write_bytes(migrated_file())
            return fork(self._program[1], self._arguments, environment)
        process = subprocess.Popen(
            [sys.executable, *self._program, *self._arguments],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        Path(self._folder.name, "server.pid").write_text(str(process.pid), "ascii")  # for tests.support.folder
        return process

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(10)
        self._reader.join(5)
        self._folder.cleanup()

    def _read_log(self) -> None:
        output: IO[str] | None = self.process.stdout
        if output is not None:
            with output:
                for line in output:
                    with self._news:
                        self._lines.append(line)
                        self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()
