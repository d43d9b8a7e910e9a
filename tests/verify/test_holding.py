"""The verifier finds nothing wrong with the service itself, whatever the seed; and it cleans up."""

import asyncio
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from chat_verify.findings import Report
from chat_verify.reports.text import as_text
from chat_verify.target import Place
from chat_verify.trying import LAWS
from tests.support.keys import bearer
from tests.support.server import LiveServer
from tests.verify.asking import QUICK, run, two_keys, unseen, verdicts, verified
from tests.verify.faults import Fault, its_own_refusals
from tests.verify.proxy import FaultyProxy

_SEEDS = (1, 2)
_NO_KEYS = {"access", "isolation"}


def _conversations(server: LiveServer, key: str = "") -> object:
    headers = {"Authorization": bearer(key)} if key else {}
    return httpx.get(f"{server.url}/api/conversations", headers=headers, trust_env=False).json()["conversations"]


async def _all_seeds(place: Place) -> list[Report]:
    """One run per seed, concurrently: most of each is waiting for a bot."""
    return await asyncio.gather(*(verified(place, *QUICK, seed=seed, seconds=60) for seed in _SEEDS))


async def test_nothing_is_found_on_the_simulator() -> None:
    """It obeys, so everything can be seen that needs no keys."""
    with LiveServer("simulator", heartbeat_seconds=0.3) as server:
        for report in await _all_seeds(Place(server.url)):
            assert "broken" not in verdicts(report).values(), as_text(report)
            assert unseen(report) == _NO_KEYS, as_text(report)
            assert report.exit_status() == 0
        assert _conversations(server) == []


@pytest.mark.parametrize(("pace_ms", "in_vain"), [(12, set[str]()), (0, {"streaming", "cancel"})])
async def test_nothing_is_found_on_the_greeter(pace_ms: int, in_vain: set[str]) -> None:
    """It does not obey; at its fastest it is too fast to be cancelled or to show separate words."""
    with LiveServer("greeter", greeter_pace_ms=pace_ms) as server:
        for report in await _all_seeds(Place(server.url)):
            assert "broken" not in verdicts(report).values(), as_text(report)
            assert unseen(report) == {*_NO_KEYS, "keep-alive", *in_vain}, as_text(report)
        assert _conversations(server) == []


async def test_nothing_is_found_where_there_are_keys() -> None:
    """And every law can be seen."""
    database_url, key, other_key = await two_keys()
    with LiveServer("simulator", database_url=database_url, heartbeat_seconds=0.3) as server:
        for report in await _all_seeds(Place(server.url, key, other_key)):
            assert set(verdicts(report).values()) == {"held"}, as_text(report)
        assert _conversations(server, key) == _conversations(server, other_key) == []


async def test_of_a_bot_that_is_slow_nothing_is_left_behind() -> None:
    """The fuzzer is stopped in the middle of a reply."""
    with LiveServer("greeter", greeter_pace_ms=400) as server:
        report = await verified(Place(server.url), "document", seconds=10)
        finding = report.findings["document"]
        assert not finding.breaches, as_text(report)
        assert re.search("time ran out|in its time", f"{finding.notes} {finding.why}"), as_text(report)
        assert _conversations(server) == []


async def test_the_command_finds_nothing_and_says_so(tmp_path: Path) -> None:
    """All laws including the fuzzer, through a hop; with keys from the environment, which are not shown."""
    database_url, key, other_key = await two_keys()
    with LiveServer("simulator", database_url=database_url, heartbeat_seconds=0.3) as server:
        options = ("--seconds", "100", "--rate", "100", "--seed", "1", "--heartbeat", "0.3", "--junit", "verify.xml")
        keys = {"VERIFY_KEY": key, "VERIFY_OTHER_KEY": other_key}
        async with FaultyProxy(server.port, Fault(request=its_own_refusals)) as proxy:
            done = await asyncio.to_thread(run, tmp_path, proxy.url, *options, "--examples", "1", **keys)
        assert _conversations(server, key) == []
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"HOLDS: {len(LAWS)} laws held." in done.stdout
    assert "by a hop      TRACE /api/" in done.stdout
    assert not any(each in done.stdout + done.stderr for each in (key, other_key))
    suite = ET.parse(tmp_path / "verify.xml").getroot()  # noqa: S314 - written by the verifier
    assert [case.get("name") for case in suite] == ["reached", *(law.name for law in LAWS)]
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "0")
