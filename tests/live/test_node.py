"""Without Node on the machine, `scripts/setup node` installs the one from PyPI; concurrent runs work, too."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.node.install import is_new_enough
from tests.support import node

ROOT = Path(__file__).parent.parent.parent
PATIENCE_SECONDS = 300.0


def test_two_at_once_install_it_where_there_is_none(tmp_path: Path) -> None:
    """With an empty path: both succeed, it is installed once, and the packages' programs run with it."""
    shutil.copytree(ROOT / "scripts" / "node", tmp_path / "scripts" / "node")
    shutil.copy(ROOT / "requirements-node.txt", tmp_path)
    (tmp_path / ".venv").mkdir()
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    environment = {**os.environ, "PATH": str(tmp_path)}
    command = [sys.executable, "-m", "scripts.node.install", str(python)]
    both = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, encoding="utf-8")
        for _ in range(2)
    ]
    said = [process.communicate(timeout=PATIENCE_SECONDS)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("added" in printed for printed in said) == 1, said
    place = tmp_path / ".venv" / "node"
    programs = os.pathsep.join([str(place / "bin"), str(place / "node_modules" / ".bin"), os.environ["PATH"]])
    path = {**os.environ, "PATH": programs}
    where = subprocess.run(["node", "-p", "process.execPath"], env=path, capture_output=True, check=True).stdout
    assert Path(where.decode().strip()).is_relative_to(place.resolve())
    assert subprocess.run(["tsc", "--version"], env=path, capture_output=True, check=True).stdout.startswith(b"Version")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v18.20.8", False),
        ("v20.18.3", False),
        ("v20.19.0", True),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.19.0", True),
        ("v24.0.0-nightly2025", True),
        ("", False),
    ],
)
def test_a_machines_node_is_taken_if_it_runs_every_package(version: str, *, expected: bool) -> None:
    """By its version."""
    assert is_new_enough(version) is expected


def test_the_packages_are_the_lock_files() -> None:
    """Pinned by hash, without registry URLs; no package runs install scripts."""
    lock = (ROOT / "scripts" / "node" / "package-lock.json").read_text("utf-8")
    assert '"integrity": "sha512-' in lock
    assert '"resolved"' not in lock
    assert "\nignore-scripts=true\n" in (ROOT / "scripts" / "node" / ".npmrc").read_text("utf-8")
    assert (node.packages() / ".package-lock.json").is_file()
