"""Generates the clients of client teams, once for all tests."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from scripts.clients.making import make
from tests.sdk.asking import SOURCES, Program, compiled, prepared

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def programs() -> Path:
    """A folder of programs for Node, including `hey_api.js`, built from this folder and generated code."""
    client = make("typescript").folder
    sources = [*sorted(_HERE.glob("*.ts")), _HERE / "tsconfig.json"]
    return compiled(client, client.with_name("cut-off-programs"), sources) / "js"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Program]:
    """Prepares one of `SOURCES`; each once."""

    @cache
    def ready(name: str) -> Program:
        return prepared(SOURCES[name], tmp_path_factory.mktemp("program"))

    return ready
