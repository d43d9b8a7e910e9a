"""Each fault that is put in front of the service breaks its law, and is told so that one knows what to do."""

import re
from collections.abc import Iterator

import pytest

from scripts.verification.findings import Report, Verdict
from scripts.verification.reporting import as_text
from scripts.verification.target import Place
from tests.support.server import LiveServer
from tests.verify.asking import two_keys, verified
from tests.verify.faults import CASES, Case, Fault, TooMany
from tests.verify.proxy import FaultyProxy

_SECONDS, _PATIENCE_SECONDS = 8.5, 40.0


def _broken(report: Report) -> list[str]:
    return [name for name, finding in report.findings.items() if finding.verdict is Verdict.BROKEN]


async def _found(case: Case, server: LiveServer, keys: tuple[str, str] = ("", "")) -> str:
    """What the report says of the law that should be broken; and no other law is."""
    async with FaultyProxy(server.port, case.fault) as proxy:
        place = Place(proxy.url, *keys)
        report = await verified(place, *(case.tried or [case.law]), seconds=_SECONDS)
        if not _broken(report):  # a busy machine needs more; and some laws take all that they are given
            report = await verified(place, *(case.tried or [case.law]), seconds=_PATIENCE_SECONDS)
    assert _broken(report) == [case.law], as_text(report)
    assert report.exit_status() == 1
    return as_text(report)


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """A service without keys."""
    with LiveServer("simulator", heartbeat_seconds=0.3) as server:
        yield server


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.has_keys])
async def test_a_fault_is_found_and_told(name: str, server: LiveServer) -> None:
    """By the law that it breaks, with what was sent, what came, what was due, and how to see it again."""
    said = await _found(CASES[name], server)
    account = " ".join(said.split())
    assert re.search(CASES[name].told, account), said
    for part in ("sent: ", "came: ", "due: ", "again: --seed 1 --law", "BREAKS THE CONTRACT: " + CASES[name].law):
        assert part in account


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.has_keys])
async def test_a_fault_of_access_is_found_and_told(name: str) -> None:
    """Where there are keys; and no key is told."""
    database_url, *keys = await two_keys()
    with LiveServer("simulator", database_url=database_url) as server:
        said = await _found(CASES[name], server, (keys[0], keys[1]))
    assert re.search(CASES[name].told, " ".join(said.split())), said
    assert not any(key in said for key in keys)


async def test_a_proxy_that_buffers_a_bot_of_its_own_mind_is_found() -> None:
    """Nobody knows how fast that bot speaks, but what is stored was said, and should have come."""
    with LiveServer("greeter", greeter_pace_ms=40, save_every_seconds=0.2) as server:
        case = Case(Fault(collects=True), "streaming", "")
        said = await _found(case, server)
    assert "characters of the reply were stored: something buffers the stream" in " ".join(said.split())


async def test_who_is_told_to_wait_waits(server: LiveServer) -> None:
    """A limit is no breach, and the report says what it cost."""
    async with FaultyProxy(server.port, Fault(request=TooMany(1))) as proxy:
        report = await verified(Place(proxy.url), "grammar", seconds=20)
    assert report.findings["grammar"].verdict is Verdict.HELD, as_text(report)
    assert "waited as told by 429: 1" in as_text(report)


async def test_who_is_told_to_wait_for_too_long_does_not(server: LiveServer) -> None:
    """Nothing was seen to be broken then, and nothing to hold."""
    async with FaultyProxy(server.port, Fault(request=TooMany(86_400))) as proxy:
        report = await verified(Place(proxy.url), "idempotency", seconds=8)
    assert report.findings["idempotency"].verdict is Verdict.UNSEEN, as_text(report)
    assert "told to wait 86400 s" in report.findings["idempotency"].why
    assert report.exit_status() == 3


async def test_a_proxy_without_a_fault_breaks_nothing(server: LiveServer) -> None:
    """Under a prefix of its own, too: it is the faults that were found."""
    async with FaultyProxy(server.port, Fault(), prefix="/chat/v1") as proxy:
        report = await verified(Place(proxy.url), *(case.law for case in CASES.values() if case.law != "document"))
    assert not [name for name, finding in report.findings.items() if finding.breaches], as_text(report)
