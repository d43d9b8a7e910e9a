"""schemathesis against the running service, from the document alone: no failure, no warning."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.contract.document import LINKS, PROBLEMS, STATUSES
from tests.contract.fuzzing import MAX_EXAMPLES, SEED, Fuzzing
from tests.support.server import LiveServer

SERVERS = {"greeter": LiveServer("greeter", greeter_pace_ms=0), "simulator": LiveServer("simulator")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Fuzzing]]:
    """Both bots are fuzzed at the same time: it takes one core each, nearly all of it for making up cases."""
    with ExitStack() as stack:
        started = {}
        for bot, server in SERVERS.items():
            url = stack.enter_context(server).url
            options = ("--max-examples", str(MAX_EXAMPLES), "--seed", str(SEED))
            started[bot] = stack.enter_context(Fuzzing(tmp_path_factory.mktemp(bot), url, *options))
        yield started


@pytest.mark.parametrize("bot", SERVERS)
def test_fuzzing_finds_no_failure_and_no_warning(bot: str, runs: Mapping[str, Fuzzing]) -> None:
    """Whatever is sent, the service answers as the document says, streams included."""
    verdict = runs[bot].verdict()
    assert verdict.exit_status == 0, f"{verdict.output}\nRepeat with CONTRACT_SEED={SEED}"
    assert not verdict.failures
    assert verdict.cases >= 5 * MAX_EXAMPLES
    assert set(verdict.phases) == {"examples", "coverage", "fuzzing", "stateful"}
    assert verdict.links == (len(LINKS), len(LINKS)), verdict.output
    statuses = {entry["status"] for entry in SERVERS[bot].log_entries() if entry["event"] == "request"}
    routing = {PROBLEMS[code]["status"] for code in ("path-not-found", "method-not-allowed")}
    assert statuses <= routing.union(*STATUSES.values()) - {500}


def test_a_stranger_finds_nothing_either(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Who has nothing of ours but the address of the document, and schemathesis as it comes, sees the same.

    But for two guesses of schemathesis, which a service that remembers proves wrong: a request that is well formed may
    still come too late, and DELETE need not delete.
    """
    with LiveServer("greeter", greeter_pace_ms=0) as server:
        folder = tmp_path_factory.mktemp("stranger")
        guesses = ("--exclude-checks", "positive_data_acceptance,use_after_free")
        options = ("--max-examples", "30", "--seed", str(SEED), *guesses)
        document = f"{server.url}/openapi.yaml"
        with Fuzzing(folder, server.url, *options, document=document, config=None) as fuzzing:
            verdict = fuzzing.verdict()
    assert verdict.exit_status == 0, f"{verdict.output}\nRepeat with CONTRACT_SEED={SEED}"
    assert not verdict.failures
