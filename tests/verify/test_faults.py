"""Each fault in front of the service breaks its law, and the report says what to do."""

import re
from collections.abc import Iterator

import pytest

from chat_verify.findings import Verdict
from chat_verify.reports.text import as_text
from chat_verify.target import Place
from tests.support.server import LiveServer
from tests.verify import faults
from tests.verify.asking import QUICK, two_keys, verified
from tests.verify.faults import CASES, Case, Fault, TooMany
from tests.verify.proxy import FaultyProxy


async def _found(case: Case, server: LiveServer, keys: tuple[str, str] = ("", "")) -> str:
    """The report's text about the broken law; no other law may be broken."""
    async with FaultyProxy(server.port, case.fault) as proxy:
        place = Place(proxy.url, *keys)
        report = await verified(place, *(case.tried or [case.law]))
    broken = [name for name, finding in report.findings.items() if finding.verdict is Verdict.BROKEN]
    assert broken == [case.law], as_text(report)
    assert report.exit_status() == 1
    return as_text(report)


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """A service without keys."""
    with LiveServer("simulator", heartbeat_seconds=0.3) as server:
        yield server


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.has_keys])
async def test_a_fault_is_found_and_told(name: str, server: LiveServer) -> None:
    """By the law that it breaks, with what was sent, received and expected, and how to repeat it."""
    said = await _found(CASES[name], server)
    account = " ".join(said.split())
    assert re.search(CASES[name].told, account), said
    for part in (
        "sent: ",
        "received: ",
        "expected: ",
        "repeat: --seed 1 --law",
        "BREAKS THE CONTRACT: " + CASES[name].law,
    ):
        assert part in account


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.has_keys])
async def test_a_fault_of_access_is_found_and_told(name: str) -> None:
    """With keys; and no key is in the report."""
    database_url, *keys = await two_keys()
    with LiveServer("simulator", database_url=database_url) as server:
        said = await _found(CASES[name], server, (keys[0], keys[1]))
    assert re.search(CASES[name].told, " ".join(said.split())), said
    assert not any(key in said for key in keys)


async def test_a_proxy_that_buffers_a_bot_of_unknown_pace_is_found() -> None:
    """What is stored was generated, and should have arrived."""
    with LiveServer("greeter", greeter_pace_ms=40, save_every_seconds=0.2) as server:
        case = Case(Fault(collects=True), "streaming", "")
        said = await _found(case, server)
    assert "characters of the reply were stored: something buffers the stream" in " ".join(said.split())


async def test_who_is_told_to_wait_waits(server: LiveServer) -> None:
    """A limit is not a breach, and the report mentions the wait."""
    async with FaultyProxy(server.port, Fault(request=TooMany(1))) as proxy:
        report = await verified(Place(proxy.url), "grammar")
    assert report.findings["grammar"].verdict is Verdict.HELD, as_text(report)
    assert "waited for 429: 1" in as_text(report)


async def test_who_is_told_to_wait_for_too_long_does_not(server: LiveServer) -> None:
    """Then it is neither broken nor held."""
    async with FaultyProxy(server.port, Fault(request=TooMany(86_400))) as proxy:
        report = await verified(Place(proxy.url), "idempotency", seconds=8)
    assert report.findings["idempotency"].verdict is Verdict.UNSEEN, as_text(report)
    assert "told to wait 86400 s" in report.findings["idempotency"].why
    assert report.exit_status() == 3


async def test_a_proxy_without_a_fault_breaks_nothing(server: LiveServer) -> None:
    """Also under a prefix of its own: the other tests find only the faults."""
    async with FaultyProxy(server.port, Fault(), prefix="/chat/v1") as proxy:
        report = await verified(Place(proxy.url), *QUICK)
    assert not [name for name, finding in report.findings.items() if finding.breaches], as_text(report)
    assert report.findings["addresses"].tried == 7, as_text(report)


async def test_what_a_hop_refuses_by_itself_is_told_and_breaks_nothing(server: LiveServer) -> None:
    """Like nginx, which refuses TRACE itself."""
    async with FaultyProxy(server.port, Fault(request=faults.its_own_refusals)) as proxy:
        report = await verified(Place(proxy.url), "statuses")
    assert {finding.verdict for finding in report.findings.values()} == {Verdict.HELD}, as_text(report)
    told = " ".join(as_text(report).split())
    assert "TRACE /api/chat: a hop in front of the service (nginx/1.22.1) answered 405 text/html" in told


async def test_what_a_later_version_adds_breaks_nothing(server: LiveServer) -> None:
    """An additional field everywhere, an additional event: the contract lets responses grow."""
    async with FaultyProxy(server.port, Fault(whole=faults.grown, event=faults.grown_stream)) as proxy:
        report = await verified(Place(proxy.url), "grammar", "text", "statuses", "idempotency", "retries")
    assert {finding.verdict for finding in report.findings.values()} == {Verdict.HELD}, as_text(report)


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 0), ("0.0.0.0", 1)])  # noqa: S104 - another name of this machine
async def test_a_proxy_that_rewrites_the_host_is_found(host: str, status: int, server: LiveServer) -> None:
    """On this machine a browser sends more headers, so it is a warning; elsewhere the page could not send anything."""
    async with FaultyProxy(server.port, Fault(request=faults.other_host)) as proxy:
        report = await verified(Place(proxy.url.replace("127.0.0.1", host)), "browser")
    assert report.exit_status() == status, as_text(report)
    assert "proxy_set_header Host $http_host;" in as_text(report)
