"""A machine to run the documentation's commands on: fresh checkouts, shells, and services."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.docs.pages import ROOT
from tests.support.stream import Transcript, check_stream

PATIENCE_SECONDS = 300.0
"""How long a command may take, including an installation: far longer than it takes."""

_NOT_CHECKED_IN = shutil.ignore_patterns(".git", ".venv", "build", ".*_cache", ".hypothesis", "*.pyc.*")
"""Compiled files are copied, which saves compiling them for each page, but not those that are just being written."""
_LISTENS = re.compile(r"running on (http://127\.0\.0\.1:[0-9]+)")
_STARTED = r"Application startup complete\.|the service is running on"
"""As uvicorn says it, and as the service's own server does."""

_OF_THIS_RUN = re.compile(r"(CHAT|CONTRACT|PYTEST|PYTHON|UVICORN).*|VIRTUAL_ENV", re.IGNORECASE)


class Machine:
    """Has a Python with pip, and nothing else that the project needs."""

    def __init__(self, folder: Path) -> None:
        """`folder` must be empty, and gets everything."""
        self._folder = folder
        self._environment = _environment(folder)

    def checkout(self, name: str, *, prepared: bool = False) -> Path:
        """A checkout of the project: without `.venv`, or `prepared`, so that `scripts/setup` has nothing to do."""
        folder = Path(shutil.copytree(ROOT, self._folder / name, ignore=_NOT_CHECKED_IN))
        if prepared and all(map(_is_installed, ("requirements-dev.txt", "requirements-local.txt"))):
            (folder / ".venv").symlink_to(sys.prefix)
        return folder

    def shell(self, folder: Path) -> "Shell":
        """A shell session."""
        return Shell(folder, self._environment)

    def start(self, command: str, folder: Path) -> "Service":
        """Run a command that serves until it is stopped."""
        return Service(command, folder, self._environment)


class Shell:
    """A shell session: what a command sets or saves is available to the next one. A context manager."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start it."""
        self._scratch = Path(tempfile.mkdtemp(dir=environment["TMPDIR"]))
        self._process = subprocess.Popen(
            ["sh"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, command: str) -> str:
        """Run a command to its end, and return its standard output.

        Raises `AssertionError` if it fails.
        """
        assert self._process.stdin
        assert self._process.stdout
        script, out, err = (self._scratch / name for name in ("command", "out", "err"))
        script.write_text(f"{command}\n", "utf-8")
        deadline = threading.Timer(PATIENCE_SECONDS, os.killpg, [self._process.pid, signal.SIGKILL])
        deadline.start()
        try:
            self._process.stdin.write(f". {script} </dev/null >{out} 2>{err}; echo $?\n")
            self._process.stdin.flush()
            status = self._process.stdout.readline().strip()
        finally:
            deadline.cancel()
        printed = out.read_text("utf-8")
        if status != "0":
            how = f"ended with {status}" if status else "ended the shell"
            raise AssertionError(f"{command}\n{how}:\n{printed}{err.read_text('utf-8')}")
        return printed


class Service:
    """A service started by a command. A context manager that leaves no process behind."""

    def __init__(self, command: str, folder: Path, environment: Mapping[str, str]) -> None:
        """Start it."""
        self._command = command
        self._url = ""  # not a cached property: in Python 3.11 all services would wait for one
        self._process = subprocess.Popen(
            ["sh", "-ec", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,  # so that its children are stopped with it
        )
        self._rest = threading.Thread(target=self._read_to, args=[""])
        """Reads the rest of the log: a service whose log nobody reads stops at the end of the pipe's buffer."""
        self._deadline = threading.Timer(PATIENCE_SECONDS, self._signal, [signal.SIGKILL])
        self._deadline.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signal(signal.SIGTERM)
        if self._url:
            self._rest.join()
        else:
            self._read_to("")
        self._process.wait()
        self._deadline.cancel()

    @property
    def url(self) -> str:
        """The service's URL, when it listens and is ready. Raises `AssertionError`."""
        if not self._url:
            url = self._listening()
            with _client(url) as client:
                health = client.get("/api/health")
                assert health.status_code == 200, health.text
                while client.get("/api/ready").status_code == 503:
                    time.sleep(0.1)
            self._rest.start()
            self._url = url
        return self._url

    def answer(self, message: str) -> str:
        """The text of the reply to a message. Raises as `transcript` does."""
        return self.transcript(message)[0].text

    def transcript(self, message: str) -> tuple[Transcript, int]:
        """The streamed reply to a message, and in how many chunks it arrived; checks that the service is healthy.

        Raises `AssertionError`.
        """
        with (
            _client(self.url) as client,
            client.stream("POST", "/api/chat", json={"user_message": message}) as response,
        ):
            portions = list(response.iter_raw())
        return check_stream(b"".join(portions)), len(portions)

    def _listening(self) -> str:
        seen = self._read_to(_STARTED)
        match = _LISTENS.search(seen) or _LISTENS.search(self._read_to("running on"))
        assert match
        return match[1]

    def _read_to(self, wanted: str) -> str:
        """Read the log up to a line that matches `wanted`, a pattern, or, if that is empty, to its end."""
        assert self._process.stdout
        seen: list[str] = []
        for line in self._process.stdout:
            seen.append(line)
            if wanted and re.search(wanted, line):
                break
        else:
            assert not wanted, f"{self._command}\nended without {wanted!r}:\n{''.join(seen)}"
            self._process.stdout.close()
        return "".join(seen)

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self._process.pid, number)


def _client(url: str) -> httpx.Client:
    return httpx.Client(
        base_url=url, transport=httpx.HTTPTransport(retries=6), timeout=PATIENCE_SECONDS, trust_env=False
    )


def _is_installed(lock: str) -> bool:
    """Whether the tests' environment has everything in a lock file, by the marker of `scripts/setup`."""
    mark = Path(sys.prefix, f"installed-{lock}")
    return mark.exists() and mark.read_bytes() == (ROOT / lock).read_bytes()


def _environment(folder: Path) -> Mapping[str, str]:
    """Without what belongs to this test run; with the only program that a machine must have."""
    programs, temporary = folder / "bin", folder / "tmp"
    programs.mkdir()
    temporary.mkdir()
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    program = programs / "python3"  # not a link, which would be taken for Python's installation
    program.write_text(f'#!/bin/sh\nexec "{python}" "$@"\n', "utf-8")
    program.chmod(0o755)
    path = [part for part in os.environ["PATH"].split(os.pathsep) if not Path(part).is_relative_to(sys.prefix)]
    return {name: value for name, value in os.environ.items() if not _OF_THIS_RUN.fullmatch(name)} | {
        "PATH": os.pathsep.join([str(programs), *path]),
        "TMPDIR": str(temporary),
        "CHAT_PORT": "0",  # any free port: 8000 may be in use
        "UVICORN_PORT": "0",
        "PIP_NO_COMPILE": "1",  # most modules are never imported
        "no_proxy": f"127.0.0.1,{os.environ.get('no_proxy', '')}",
    }
