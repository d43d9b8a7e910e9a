"""`scripts/setup` installs with the machine's pip, or with a newer one where that is old."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PATIENCE_SECONDS = 300.0

_PYTHON = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
_SAYS = """#!/bin/sh
case $* in
  '-m pip --version') echo 'pip {version} from here' ;;
  *) exec '{python}' "$@" ;;
esac
"""


@pytest.mark.parametrize(("version", "is_old"), [("24.3.1", True), ("25.0", False)])
def test_an_old_pip_is_not_used_for_more_than_a_newer_one(version: str, tmp_path: Path, *, is_old: bool) -> None:
    """Of the project's packages, one is enough to see it; a second run has nothing to do."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts")
    shutil.copy(ROOT / "requirements-pip.txt", tmp_path)
    (tmp_path / "requirements.txt").write_text(_locked("idna"), "utf-8")
    python = tmp_path / "python3"
    python.write_text(_SAYS.format(version=version, python=_PYTHON), "utf-8")
    python.chmod(0o755)
    said = [_set_up(tmp_path, python) for _ in range(2)]
    assert "Installing the 1 packages" in said[0]
    assert said[1] == ""
    assert (tmp_path / ".venv" / "pip" / "pip" / "__main__.py").exists() is is_old
    subprocess.run([tmp_path / ".venv" / "bin" / "python", "-c", "import idna"], check=True)


def _locked(package: str) -> str:
    """Its lines in the lock file."""
    _, start, rest = (ROOT / "requirements.txt").read_text("utf-8").partition(f"\n{package}==")
    return f"{start}{rest.partition('    # via')[0]}"


def _set_up(folder: Path, python: Path) -> str:
    done = subprocess.run(
        [folder / "scripts" / "setup"],
        env=os.environ | {"PYTHON": str(python)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
