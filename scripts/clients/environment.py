"""The environment of generators: a separate one for Python (requirements-sdk.txt), and the project's Node."""

import hashlib
import os
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "build" / "sdk"
LOCK = ROOT / "requirements-sdk.txt"
_NODE = ROOT / ".venv" / "node"


class GenerationFailed(Exception):
    """A generator, type checker or client failed; the text is its output."""


def run(command: list[str], folder: Path, **variables: str) -> str:
    """Run a program with all generators on its path, and return its output. `variables` are for its environment.

    Raises `GenerationFailed`.
    """
    with _one_at_a_time(command[0]):
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise GenerationFailed(f"{' '.join(command)}\n{done.stdout}")
    return done.stdout


def environment() -> dict[str, str]:
    """The environment variables with which generators, type checkers and clients of Python and Node run.

    Compiled Python files are cached, but outside the generated folders.
    """
    programs = [_python() / "bin", _NODE / "bin", node_packages() / ".bin"]
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(BUILD / "compiled")}
    java = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}  # it runs too shortly to be optimised
    return os.environ | compiled | java | {"PATH": path, "NO_COLOR": "1", "MYPY_CACHE_DIR": str(BUILD / "mypy")}


def _one_at_a_time(program: str) -> AbstractContextManager[object]:
    """All runs of mypy share a cache, mostly of the libraries that clients have in common."""
    BUILD.mkdir(parents=True, exist_ok=True)
    return FileLock(BUILD / "mypy.lock") if program == "mypy" else nullcontext()


def node_packages() -> Path:
    """The folder `node_modules`."""
    return _NODE.resolve() / "node_modules"


def install() -> None:
    """Install what is missing.

    Raises `GenerationFailed`.
    """
    _quietly([str(ROOT / "scripts" / "setup"), "node"])
    place = _python()
    mark = place / "installed"
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock")):  # tests may be doing the same
        if not mark.exists():
            print("Installing client generators (130 MB)", file=sys.stderr)
            _quietly([sys.executable, "-m", "venv", "--clear", "--without-pip", str(place)])
            pip = [_python_with_pip(), "-m", "pip", "--python", str(place / "bin" / "python"), "install"]
            options = ["-qq", "--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes"]
            _quietly([*pip, *options, "-r", str(LOCK)])
            mark.touch()


def _python() -> Path:
    """The environment for the current lock file."""
    return BUILD / f"venv-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"


def _python_with_pip() -> str:
    """The interpreter that .venv was created with: .venv itself has no pip."""
    return str(Path(sys.base_exec_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def _quietly(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise GenerationFailed(f"{' '.join(command)}\n{done.stdout}")
