"""schemathesis against the running service with stricter checks: whole streams, and nothing undocumented."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.contract.document import LINKS, PLACES, PROBLEMS, STATUSES
from tests.contract.fuzzing import MAX_EXAMPLES, SEED, Fuzzing, closed_document, locked_document
from tests.contract.refusals import GUARDED, OPEN
from tests.support.databases import fresh_database_url
from tests.support.keys import made_key
from tests.support.server import LiveServer

OF_BOTS = {operation_id for operation_id, statuses in STATUSES.items() if 502 in statuses}
"""The operations whose answers depend on the bot."""
NAMES: dict[str, tuple[str, ...]] = {
    "greeter": ("--mode", "positive", *(part for name in sorted(OF_BOTS) for part in ("--include-operation-id", name))),
    "simulator with keys": (),
}
"""The greeter gets only what it answers: all else is alike with each bot; without a key, see `test_in_process`."""
ROUTING = {PROBLEMS[code]["status"] for code in ("path-not-found", "method-not-allowed")}
WITHOUT_A_KEY = ("--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", str(SEED))
"""No walks: nothing leads anywhere."""
NO_RANDOM_BODIES = """
[[operations]]
include-method = ["POST", "PUT", "PATCH"]
phases.fuzzing.enabled = false
"""
"""Most of the time would go into making them, and nobody reads them: see `test_gate`."""


def repeat(output: str) -> str:
    """The output of schemathesis, and how to repeat the run."""
    return f"{output}\nRepeat with CONTRACT_SEED={SEED}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, tuple[LiveServer, Fuzzing]]]:
    """All services are fuzzed concurrently: each run needs one core, mostly to generate cases."""
    options = ("--max-examples", str(MAX_EXAMPLES), "--seed", str(SEED))
    database_url = fresh_database_url()
    (key, _), (others, _) = [asyncio.run(made_key(database_url, name)) for name in ("somebody", "somebody-else")]
    with ExitStack() as stack:
        started = {}
        for name, own in NAMES.items():
            folder = tmp_path_factory.mktemp("fuzzing")
            bot, _, has_keys = name.partition(" with ")
            url = database_url if has_keys else fresh_database_url()
            server = stack.enter_context(LiveServer(bot, greeter_pace_ms=0, database_url=url))
            document = locked_document(folder) if has_keys else closed_document(folder)
            keys = (key, others) if has_keys else None
            fuzzing = Fuzzing(folder, server.url, *options, *own, document=document, keys=keys)
            started[name] = server, stack.enter_context(fuzzing)
        yield started


@pytest.mark.parametrize("name", NAMES)
def test_fuzzing_finds_no_failure_and_no_warning(name: str, runs: Mapping[str, tuple[LiveServer, Fuzzing]]) -> None:
    """Whatever is sent, the service responds as documented, including streams.

    With keys, this holds for a client with a key; every operation requires one, and none returns another's data.
    """
    server, fuzzing = runs[name]
    verdict = fuzzing.verdict()
    assert verdict.exit_status == 0, repeat(verdict.output)
    assert not verdict.failures
    assert not verdict.warnings
    assert verdict.cases >= 5 * MAX_EXAMPLES
    assert set(verdict.phases) == {"examples", "coverage", "fuzzing", "stateful"}
    if not NAMES[name]:
        _, known, made_up = verdict.links  # which ones it followed is up to chance; `test_links` follows each
        assert known - made_up == len(LINKS), verdict.output
    statuses = {entry["status"] for entry in server.log_entries() if entry["event"] == "request"}
    assert statuses <= ROUTING.union(*STATUSES.values()) - {500}
    assert (401 in statuses) == name.endswith("keys")  # schemathesis has tried without a key, and with a wrong one


def test_who_has_no_key_gets_nowhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever is sent, every guarded operation responds with 401, as documented; schemathesis checks that itself."""
    url = fresh_database_url()
    asyncio.run(made_key(url))
    with LiveServer("simulator", database_url=url) as server:
        folder = tmp_path_factory.mktemp("nobody")
        document = locked_document(folder)
        with Fuzzing(folder, server.url, *WITHOUT_A_KEY, document=document, config=NO_RANDOM_BODIES) as fuzzing:
            verdict = fuzzing.verdict()
        entries = [entry for entry in server.log_entries() if entry["event"] == "request"]
    assert not verdict.failures, repeat(verdict.output)
    assert verdict.warnings == (f"Authentication failed: {len(GUARDED)} operations returned only 401/403 responses",)
    assert {entry["status"] for entry in entries} == {200, 401} | ROUTING
    assert {entry["path"] for entry in entries if entry["status"] == 200} == {PLACES[name][1] for name in OPEN}
