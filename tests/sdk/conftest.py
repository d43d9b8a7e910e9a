"""Generates the clients of client teams, once for all tests."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.sdk.asking import SOURCES, Program, prepared
from tests.support import node

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_CONTRACT = _ROOT / "generated" / "openapi-3.1.json"


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs for Node, including `hey_api.js`, built from this folder and generated code."""
    folder = tmp_path_factory.mktemp("sdk")
    for source in [*_HERE.glob("*.ts"), _HERE / "tsconfig.json"]:
        shutil.copy(source, folder)
    (folder / "node_modules").symlink_to(node.packages(), target_is_directory=True)
    _run(["openapi-ts", "--input", str(_CONTRACT), "--output", "client"], folder)
    _run(["tsc"], folder)
    return folder / "js"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Program]:
    """Prepares one of `SOURCES`; each once."""

    @cache
    def ready(name: str) -> Program:
        return prepared(SOURCES[name], tmp_path_factory.mktemp("program"))

    return ready


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=node.environment(), capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
