"""Generates the clients of client teams, once for all tests."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from scripts.clients.environment import run
from scripts.clients.making import make
from tests.sdk.asking import SOURCES, Program, prepared
from tests.support import node

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs for Node, including `hey_api.js`, built from this folder and generated code."""
    folder = tmp_path_factory.mktemp("sdk")
    for source in [*_HERE.glob("*.ts"), _HERE / "tsconfig.json"]:
        shutil.copy(source, folder)
    (folder / "node_modules").symlink_to(node.packages(), target_is_directory=True)
    shutil.copytree(make("typescript").folder / "client", folder / "client")
    run(["tsc"], folder)
    return folder / "js"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Program]:
    """Prepares one of `SOURCES`; each once."""

    @cache
    def ready(name: str) -> Program:
        return prepared(SOURCES[name], tmp_path_factory.mktemp("program"))

    return ready
