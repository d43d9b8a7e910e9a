"""Starts programs quickly: a process imports the service once, and forks for each server that a test needs.

Most of the start-up time is importing. A fork runs exactly what `python -m <module>` would run: with its own
environment, Python's default signal handlers, and an exit status. Only the command line in the process list is not its
own. The forking process has one thread and no event loop, and it ends, with all its forks, with the tests' process. The
fuzzer has its own forking process.
"""

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from app import garbage

_ROOT = Path(__file__).parent.parent.parent
SERVICE = (
    "aiosqlite",
    "alembic.command",
    "alembic.config",
    "app.command",
    "asyncpg",
    "encodings.idna",
    "mako.template",
    "pydantic.v1",  # FastAPI imports it for its first route
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "tests.support.warm",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
)
"""Imported before servers are forked."""

_SIZE_BYTES = 4
_STATUS_BYTES = 2
_CHECK_SECONDS = 0.05


class Forked:
    """A forked process, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, pid: int, status: int, stdout: IO[str]) -> None:
        """`status` is the read end of a pipe for the exit status."""
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._status = status
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Its exit status, if it has ended."""
        with self._lock:
            if self.returncode is None and select.select([self._status], [], [], 0)[0]:
                said = os.read(self._status, _STATUS_BYTES)
                os.close(self._status)
                # Empty if the forking process has ended: then its forks were killed.
                status = int.from_bytes(said, signed=True) if said else -signal.SIGKILL
                self.returncode = status
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status; minus the signal's number if a signal ended the process.

        Raises `subprocess.TimeoutExpired`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(["fork", str(self.pid)], timeout or 0)
            try:
                select.select([self._status], [], [], _CHECK_SECONDS)  # other threads may wait, too
            except (OSError, ValueError):
                continue
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)


def fork(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path = _ROOT,
    imported: tuple[str, ...] = SERVICE,
) -> Forked:
    """Run a module in a folder like `python -m`, with both output streams in one pipe and no input.

    The `imported` modules must have no side effects.
    """
    what = {"module": module, "arguments": list(arguments), "environment": dict(environment), "folder": str(folder)}
    output, its_output = os.pipe()
    status, its_status = os.pipe()
    try:
        pid = _forking(imported).fork(what, its_output, its_status)
    finally:
        os.close(its_output)
        os.close(its_status)
    return Forked(pid, status, os.fdopen(output, encoding="utf-8"))


class _Forking:
    """The tests' handle of the forking process."""

    def __init__(self, imported: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._channel, its_channel = socket.socketpair()
        with its_channel:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forks", str(its_channel.fileno()), *imported],
                cwd=_ROOT,
                env={name: value for name, value in os.environ.items() if not name.upper().startswith("CHAT_")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[its_channel.fileno()],
            )

    def fork(self, what: Mapping[str, object], *descriptors: int) -> int:
        """Returns the process id."""
        request = json.dumps(what).encode()
        with self._lock:
            socket.send_fds(self._channel, [len(request).to_bytes(_SIZE_BYTES)], descriptors)
            self._channel.sendall(request)
            pid = int.from_bytes(_received(self._channel, _SIZE_BYTES))
        if not pid:
            raise AssertionError("the process that starts servers has ended")
        return pid

    def close(self) -> None:
        """End the forking process."""
        self._channel.close()
        self._process.wait()


_forking_processes: dict[tuple[str, ...], _Forking] = {}
_starting = threading.Lock()


def close() -> None:
    """End all forking processes, and their forks."""
    while _forking_processes:
        _forking_processes.popitem()[1].close()


def _forking(imported: tuple[str, ...]) -> _Forking:
    with _starting:
        if imported not in _forking_processes:
            _forking_processes[imported] = _Forking(imported)
        return _forking_processes[imported]


def _received(channel: socket.socket, size: int) -> bytes:
    """This many bytes, or fewer if the other side has closed the channel."""
    data = b""
    while len(data) < size and (more := channel.recv(size - len(data))):
        data += more
    return data


def _serve(channel: socket.socket) -> str | None:
    """Fork on request. Returns, in a fork, the module to run; in the parent, `None` when the channel is closed."""
    news, bell = os.pipe()
    for end in (news, bell):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends last and kills the forks, which a signal may only drain
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([channel.fileno(), news], [], [])
        if news in ready:
            os.read(news, 2**16)
            _reap(running)
        if channel.fileno() not in ready:
            continue
        size, descriptors, _, _ = socket.recv_fds(channel, _SIZE_BYTES, 2)
        if not size:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            return None
        size += _received(channel, _SIZE_BYTES - len(size))
        what = json.loads(_received(channel, int.from_bytes(size)))
        output, status = descriptors
        if pid := os.fork():
            running[pid] = status
            os.close(output)
            channel.sendall(pid.to_bytes(_SIZE_BYTES))
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for descriptor in (news, bell, output, status, *running.values()):
            os.close(descriptor)
        channel.close()
        os.environ.clear()
        os.environ.update(what["environment"])
        os.chdir(what["folder"])
        sys.argv[1:] = what["arguments"]
        return str(what["module"])


def _reap(running: dict[int, int]) -> None:
    """Report the exit statuses of forks that have ended."""
    for pid, descriptor in list(running.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            del running[pid]
            with contextlib.suppress(BrokenPipeError):  # nobody reads it any more
                os.write(descriptor, os.waitstatus_to_exitcode(status).to_bytes(_STATUS_BYTES, signed=True))
            os.close(descriptor)


def main() -> None:
    """Import the modules, and fork until the tests end."""
    for name in sys.argv[2:]:
        importlib.import_module(name)
    garbage.keep()
    if module := _serve(socket.socket(fileno=int(sys.argv[1]))):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
