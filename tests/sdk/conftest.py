"""Makes the clients that client teams would make, once for all tests."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_CONTRACT = _ROOT / "generated" / "openapi-3.1.json"
_PACKAGES = ("package.json", "package-lock.json", ".npmrc")


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs for Node, `hey_api.js` among them, made of this folder's and of generated code."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("generated clients run on Node, and there is no node and npm on this machine")
    folder = tmp_path_factory.mktemp("sdk")
    for source in [*_HERE.glob("*.ts"), _HERE / "tsconfig.json", _HERE / "openapi-ts.config.mjs"]:
        shutil.copy(source, folder)
    (folder / "node_modules").symlink_to(_installed() / "node_modules", target_is_directory=True)
    _run(["node_modules/.bin/openapi-ts", "--input", str(_CONTRACT), "--output", "client"], folder)
    _run(["node_modules/.bin/tsc"], folder)
    return folder / "js"


def _installed() -> Path:
    """The packages of the lock file. They stay in `build/`, so that they are installed once."""
    digest = hashlib.sha256(b"\0".join((_HERE / name).read_bytes() for name in _PACKAGES)).hexdigest()
    place = _ROOT / "build" / "sdk" / digest[:16]
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock")):  # another run of the tests may be at it
        if not place.exists():
            unfinished = place.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            for name in _PACKAGES:
                shutil.copy(_HERE / name, unfinished)
            _run(["npm", "ci", "--ignore-scripts"], unfinished)
            unfinished.rename(place)
    return place


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"NO_COLOR": "1"}, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
