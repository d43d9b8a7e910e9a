"""Exactly `schemathesis run openapi.yaml --url ...`: no configuration, no hook, no exclusion, any seed.

It may warn that its random walks did not come by what an operation needs: with many operations, that is up to chance.

`CONTRACT_MAX_EXAMPLES` makes the runs longer; they are short here to save time. schemathesis prints the seed of each.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.contract.document import PLACES, ROOT
from tests.contract.fuzzing import typed
from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.server import LiveServer

SHORT = ("--max-examples", os.environ.get("CONTRACT_MAX_EXAMPLES", "5"))
RUNS = {
    "simulator with keys": (str(ROOT / "openapi.yaml"), "--url", "{url}", "--header", "Authorization: {bearer}"),
    "greeter by its own address": ("{url}/openapi.yaml",),
}
"""Each bot and each way in, but not each with each: what needs a key is the same whoever replies."""
WARNS, UP_TO_CHANCE = "\u26a0", "Missing test data: "
ALL_TESTED = f"Tested: {len(PLACES)}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, CompletedProcess[str]]]:
    """Two at a time: each needs one core, mostly to generate cases."""
    with ExitStack() as stack:
        typed_in = []
        for name, arguments in RUNS.items():
            url = fresh_database_url()
            key, _ = asyncio.run(made_key(url)) if name.endswith("keys") else ("", "")
            server = stack.enter_context(LiveServer(name.partition(" ")[0], greeter_pace_ms=0, database_url=url))
            typed_in.append([argument.format(url=server.url, bearer=bearer(key)) for argument in arguments])

        folders = [tmp_path_factory.mktemp("stranger") for _ in RUNS]

        def run(folder: Path, arguments: list[str]) -> CompletedProcess[str]:
            return typed(folder, *arguments, *SHORT)

        with ThreadPoolExecutor(2) as pool:
            yield dict(zip(RUNS, pool.map(run, folders, typed_in), strict=True))


@pytest.mark.parametrize("name", RUNS)
def test_a_stranger_finds_nothing(name: str, runs: Mapping[str, CompletedProcess[str]]) -> None:
    """No failures, and no warnings of the service."""
    done = runs[name]
    assert done.returncode == 0, done.stdout
    assert ALL_TESTED in done.stdout
    assert {line for line in done.stdout.splitlines() if WARNS in line and UP_TO_CHANCE not in line} == set(), (
        done.stdout
    )
