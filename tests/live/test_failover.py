"""A PostgreSQL primary dies under load and its standby takes over: the service finds it, and has lost nothing."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.support.databases import Postgres, run_sql
from tests.support.pgbouncer import pgbouncer
from tests.support.server import LiveServer
from tests.support.standby import Standby
from tests.support.waiting import wait_until
from tests.support.wire import Answer, Wire, get, post

_CLIENTS = 4
_LONG_LAWS = 1000


@dataclass(slots=True)
class _Talker:
    """Sends one message after the other, and notes which were answered."""

    name: str
    port: int
    answered: list[str] = field(default_factory=list)
    refused: int = 0

    def talk(self, enough: threading.Event) -> None:
        """Until it is enough."""
        number = 0
        while not enough.is_set():
            number += 1
            text = f"{self.name} {number}"
            with Wire(self.port) as wire:
                wire.send(post(text, path="/api/replies"))
                answer = wire.answer()
            if answer.status == 200:
                assert json.loads(answer.body)["text"] == text
                self.answered.append(text)
            else:
                assert answer.status == 503
                assert int(answer.headers["retry-after"]) >= 1
                self.refused += 1
                time.sleep(0.05)


def _ask(server: LiveServer, sent: bytes) -> Answer:
    with Wire(server.port) as wire:
        wire.send(sent)
        return wire.answer()


def _is_ready(server: LiveServer) -> bool:
    return _ask(server, get("/api/ready")).status == 200


@pytest.fixture
def pair() -> Iterator[tuple[Postgres, Standby, str]]:
    """A primary, its standby, and the URL of a database that both have."""
    with Postgres() as primary:
        name = primary.database_url().partition("?")[0].rpartition("/")[2]
        with Standby(primary) as standby:
            yield primary, standby, f"postgresql://postgres@/{name}?host={primary.socket},{standby.socket}"


def _of(server: Postgres | Standby, url: str) -> str:
    """The database on one server alone."""
    return f"{url.partition('=')[0]}={server.socket}"


@pytest.fixture(params=["dies", "falls silent"])
def how(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> str:
    """What becomes of the primary. Silence takes longer, and says little more."""
    how: str = request.param
    if how == "falls silent" and pytestconfig.getoption("laws") < _LONG_LAWS:
        pytest.skip(f"a matter of patience: --laws {_LONG_LAWS}")
    return how


def test_a_standby_takes_over_under_load(how: str, pair: tuple[Postgres, Standby, str]) -> None:
    """No restart is needed, readiness tells the truth, and what was acknowledged is there."""
    primary, standby, url = pair
    took = _taken_over(url, _of(standby, url), primary.kill if how == "dies" else primary.freeze, standby.promote)
    print(f"{how}: writes worked again {took:.1f} s after the promotion")  # noqa: T201


def test_it_does_so_behind_a_pooler(pair: tuple[Postgres, Standby, str]) -> None:
    """The operator points the pooler to the standby; the service has one address, and keeps it."""
    primary, standby, url = pair
    with pgbouncer(_of(primary, url)) as pooler:

        def promote() -> None:
            standby.promote()
            pooler.point_to(str(standby.socket))

        took = _taken_over(pooler.url, _of(standby, url), primary.kill, promote)
        print(f"behind a pooler: writes worked again {took:.1f} s after the promotion")  # noqa: T201


def _taken_over(url: str, survivor: str, end: Callable[[], None], promote: Callable[[], None]) -> float:
    """End the primary under load, and promote the standby. Returns how many seconds it took to answer again."""
    with LiveServer(database_url=url, storage_seconds=2, save_every_seconds=0.2, lease_seconds=4) as server:
        talkers = [_Talker(f"talker {n}", server.port) for n in range(_CLIENTS)]
        enough = threading.Event()
        with ThreadPoolExecutor(_CLIENTS) as pool:
            talks = [pool.submit(talker.talk, enough) for talker in talkers]
            try:
                wait_until(lambda: all(len(talker.answered) > 5 for talker in talkers))
                assert _is_ready(server)
                end()
                wait_until(lambda: not _is_ready(server))
                promote()
                promoted = time.monotonic()
                before = [len(talker.answered) for talker in talkers]
                wait_until(lambda: all(len(t.answered) > n + 5 for t, n in zip(talkers, before, strict=True)))
                took = time.monotonic() - promoted
                assert _is_ready(server)
            finally:
                enough.set()
        for talk in talks:
            talk.result()
        stored = asyncio.run(run_sql(survivor, "SELECT text FROM messages WHERE state = 'completed'"))
        assert {text for talker in talkers for text in talker.answered} <= {text for (text,) in stored}
        assert sum(talker.refused for talker in talkers) > 0
        assert "Traceback" not in server.log()
        return took
