"""The Dockerfile's image, as far as a machine without Docker has it.

It has the same files, read-only, and nothing else but Python and the libraries that it needs, so no shell. The command
and its environment are the same, and it runs as PID 1 of another user.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = ROOT / "docs" / "deploy" / "Dockerfile"
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/share/zoneinfo")
_ENTER = """
import ctypes, json, os, subprocess, sys
plan = json.loads(sys.argv[1])
for source, target, writable in plan["mounts"]:
    subprocess.run(["mount", "--rbind", source, target], check=True)
    if not writable:
        subprocess.run(["mount", "-o", "remount,bind,ro", target], check=True)
os.chroot(plan["root"])
os.chdir(plan["directory"])
os.setgroups([])
os.setgid(plan["group"])
os.setuid(plan["user"])
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0  # no new privileges
os.execve(plan["command"][0], plan["command"], plan["environment"])
"""


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """What its last stage says."""

    copies: Sequence[tuple[str, str]]
    """From the project, and to where."""
    environment: Mapping[str, str]
    directory: str
    user: int
    group: int
    entrypoint: Sequence[str]
    health: Sequence[str]
    stop_signal: str


def read() -> Dockerfile:
    """Parse it."""
    text = DOCKERFILE.read_text("utf-8").replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.rpartition("\nFROM ")[2].splitlines()[1:] if line]
    values = {instruction: value for instruction, value in lines if instruction not in {"COPY", "RUN"}}
    user, _, group = values["USER"].partition(":")
    copies = [value.split() for instruction, value in lines if instruction == "COPY"]
    return Dockerfile(
        [(source, target) for source, target in (copy for copy in copies if not copy[0].startswith("--"))],
        dict(pair.split("=", 1) for pair in shlex.split(values["ENV"])),
        values["WORKDIR"],
        int(user),
        int(group),
        json.loads(values["ENTRYPOINT"]),
        json.loads(re.sub(r".* CMD ", "", values["HEALTHCHECK"])),
        values["STOPSIGNAL"],
    )


class Container:
    """Runs commands in the image. Its volume stays between them."""

    def __init__(self, folder: Path) -> None:
        """`folder` is empty. Skips the test where that is not possible."""
        if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
            pytest.skip("namespaces need Linux and root")
        if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode:
            pytest.skip("this machine has no namespaces")
        self.file = read()
        self._root = folder / "root"
        self._volume = folder / "volume"
        self._make()

    def command(self, *arguments: str, **settings: str) -> list[str]:
        """As `docker run -e SETTING=... chat ARGUMENT ...`."""
        return self._entering([*self.file.entrypoint, *arguments], settings)

    def health(self, port: int) -> int:
        """The exit status of the health check."""
        check = [part.replace(":8000/", f":{port}/") for part in self.file.health]
        assert check != self.file.health
        return subprocess.run(self._entering(check, {}), check=False, capture_output=True).returncode

    def python(self, code: str) -> str:
        """What a program prints there. Raises `CalledProcessError`."""
        command = self._entering([self.file.entrypoint[0], "-c", code], {})
        return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout

    @contextmanager
    def running(self, **settings: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """The service, and its port."""
        with subprocess.Popen(
            self.command(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        ) as process:
            try:
                assert process.stdout is not None
                said = ""
                while not (found := re.search(r"running on http://127\.0\.0\.1:([0-9]+)", said)):
                    line = process.stdout.readline()
                    said += line
                    assert line, said
                yield process, int(found[1])
            finally:
                with suppress(psutil.NoSuchProcess):
                    for inside in psutil.Process(process.pid).children():
                        inside.kill()
                process.communicate()

    @staticmethod
    def stop(process: subprocess.Popen[str]) -> None:
        """Signal PID 1, as `docker stop` does."""
        (first,) = psutil.Process(process.pid).children()
        first.send_signal(signal.SIGTERM)

    def _make(self) -> None:
        for source, target in self.file.copies:
            place = self._root / target.lstrip("/")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__", "released"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)
        for name in ("venv", "data", "tmp", "dev", *(path.lstrip("/") for path in self._libraries())):
            (self._root / name).mkdir(parents=True, exist_ok=True)
        self._volume.mkdir()
        os.chown(self._volume, self.file.user, self.file.group)
        for part in (self._root.parent.parent, self._root.parent, self._root):
            part.chmod(0o755)

    @staticmethod
    def _libraries() -> list[str]:
        return [*(path for path in _LIBRARIES if Path(path).is_dir()), sys.base_prefix]

    def _entering(self, command: Sequence[str], settings: Mapping[str, str]) -> list[str]:
        root = str(self._root)
        mounts: list[tuple[str, str, bool]] = [(root, root, False)]
        mounts += [(path, f"{root}{path}", False) for path in self._libraries()]
        mounts += [(sys.prefix, f"{root}/venv", False), ("/dev", f"{root}/dev", True)]
        mounts += [(str(self._volume), f"{root}/data", True)]
        plan = {
            "mounts": mounts,
            "root": root,
            "directory": self.file.directory,
            "user": self.file.user,
            "group": self.file.group,
            "command": list(command),
            "environment": {**self.file.environment, **{f"CHAT_{k.upper()}": v for k, v in settings.items()}},
        }
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*unshare, sys.executable, "-c", _ENTER, json.dumps(plan)]
