"""Node and the programs of its packages, as installed by `scripts/setup node`."""

import os
import subprocess
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent


@cache
def _place() -> Path:
    """The folder that they are in, after installing them if necessary. Raises `subprocess.CalledProcessError`."""
    subprocess.run([_ROOT / "scripts" / "setup", "node"], check=True)
    return (_ROOT / ".venv" / "node").resolve()


def packages() -> Path:
    """The folder `node_modules`."""
    return _place() / "node_modules"


def environment() -> dict[str, str]:
    """An environment with Node, npm and the packages' programs on PATH, and without colours."""
    path = os.pathsep.join(map(str, (_place() / "bin", packages() / ".bin", os.environ["PATH"])))
    return os.environ | {"PATH": path, "NO_COLOR": "1"}
