"""Runs the proxies of docs/deploy with the very files there; only addresses and paths are replaced.

What is replaced must be in the file, so that a test never runs another configuration than it seems to.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.ports import free_port
from tests.support.folder import folder

ROOT = Path(__file__).parent.parent.parent
FILES = ROOT / "docs" / "deploy"
NAMES = ("nginx", "caddy", "haproxy", "apache")
INSIDE = "127.0.0.1:8000"
"""The service's address in the files."""
BELOW = "/chat"
"""The path below which the files serve it, too."""

_PATIENCE_SECONDS = 60.0
SYSTEM = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.prefix, "bin")), "/usr/sbin"])
_MODULES = ("mpm_event", "authz_core", "headers", "http2", "proxy", "proxy_http", "ssl")

Changes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a proxy is run."""

    file: str
    program: str
    changes: Callable[[int, Path], Changes]
    """What is replaced in the file, for its port and its folder."""
    command: Callable[[str, Path, Path], list[str]]
    """For its program, its configuration and its folder."""


def _nginx(port: int, place: Path) -> Changes:
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "\n".join(f"    {name}_temp_path {place}/{name};" for name in temporary)
    return {"listen 80;": f"listen 127.0.0.1:{port};", "http {": f"http {{\n    access_log off;\n{paths}"}


def _caddy(port: int, _: Path) -> Changes:
    return {"chat.example.org": f"http://:{port}", "(chat) {": "{\n\tadmin off\n}\n(chat) {"}


def _haproxy(port: int, _: Path) -> Changes:
    others = {} if os.geteuid() == 0 else {"user haproxy": "", "group haproxy": ""}  # only root can become them
    return {"bind :80": f"bind 127.0.0.1:{port}", **others}


def _apache(port: int, _: Path) -> Changes:
    return {"<VirtualHost *:80>": f"<VirtualHost 127.0.0.1:{port}>"}


def _run_apache(program: str, file: Path, place: Path) -> list[str]:
    """Debian's files around it: modules, the address to listen on, and where to write."""
    port = file.read_text("utf-8").partition("<VirtualHost ")[2].partition(">")[0]
    lines = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in _MODULES]
    lines += [f"Listen {port}", f"PidFile {place}/pid", f"DefaultRuntimeDir {place}", "ErrorLog /dev/stderr"]
    lines += ["ServerName localhost", f"ServerRoot {place}", *_user(), f"Include {file}"]
    around = place / "apache2.conf"
    around.write_text("\n".join([*lines, ""]), "utf-8")
    return [program, "-D", "FOREGROUND", "-f", str(around)]


def _user() -> list[str]:
    return ["User nobody", "Group nogroup"] if os.geteuid() == 0 else []


KINDS = {
    "nginx": Kind(
        "nginx.conf",
        "nginx",
        _nginx,
        lambda program, file, place: [
            *(program, "-p", str(place), "-c", str(file)),
            *("-g", f"daemon off; pid {place}/pid; error_log stderr;"),
        ],
    ),
    "caddy": Kind(
        "Caddyfile",
        "caddy",
        _caddy,
        lambda program, file, _: [program, "run", "--config", str(file), "--adapter", "caddyfile"],
    ),
    "haproxy": Kind("haproxy.cfg", "haproxy", _haproxy, lambda program, file, _: [program, "-db", "-f", str(file)]),
    "apache": Kind("apache.conf", "apache2", _apache, _run_apache),
}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running one."""

    name: str
    port: int

    @property
    def url(self) -> str:
        """Without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"


def is_here(name: str) -> bool:
    """Whether this machine has it."""
    return shutil.which(KINDS[name].program, path=SYSTEM) is not None


@contextmanager
def running(name: str, inside: int, changes: Changes | None = None) -> Iterator[Proxy]:
    """A proxy in front of this port, with the documented file, and further `changes`, in which PORT is the proxy's.

    Skips the test if this machine has no such proxy.
    """
    kind = KINDS[name]

    def prepared(program: str, port: int, place: Path) -> list[str]:
        replaced = {INSIDE: f"127.0.0.1:{inside}", **kind.changes(port, place)}
        for old, new in (changes or {}).items():
            replaced[old.replace("PORT", str(port))] = new.replace("PORT", str(port))
        file = place / kind.file
        file.write_text(_changed((FILES / kind.file).read_text("utf-8"), replaced), "utf-8")
        return kind.command(program, file, place)

    with started(name, kind.program, prepared) as proxy:
        yield proxy


@contextmanager
def started(name: str, program: str, prepared: Callable[[str, int, Path], list[str]]) -> Iterator[Proxy]:
    """Any proxy: `prepared` makes its files and its command, from its program, its port and its folder.

    Skips the test if this machine has no such program.
    """
    found = shutil.which(program, path=SYSTEM)
    if found is None:
        pytest.skip(f"there is no {program} on this machine")
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=folder(), ignore_cleanup_errors=True) as made:
        place = Path(made)
        place.chmod(0o755)
        port = free_port()
        with subprocess.Popen(
            prepared(found, port, place),
            cwd=place,
            env=os.environ | {"XDG_DATA_HOME": made, "XDG_CONFIG_HOME": made, "HOME": made},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                _wait(process, port)
                yield Proxy(name, port)
            finally:
                process.terminate()
                process.communicate(timeout=_PATIENCE_SECONDS)


def _changed(text: str, changes: Changes) -> str:
    for old, new in changes.items():
        assert old in text, f"the file does not have {old!r}"
        text = text.replace(old, new)
    return text


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                said = process.communicate()[0].decode(errors="replace")
                raise AssertionError(f"the proxy does not listen:\n{said}") from None
            time.sleep(0.05)
        else:
            return
