"""Metrics of a running service: who may read them and where, and what becomes of them when processes die."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import anyio
import psutil
import pytest

from app.main import create_app
from tests.docs.pages import ROOT
from tests.support.addresses import CHAT, WHOLE
from tests.support.asgi import Client
from tests.support.completions import answer, begun, chunk, speaks
from tests.support.databases import fresh_database_url
from tests.support.engine import FakeEngine
from tests.support.keys import bearer, made_key
from tests.support.scraping import (
    answer_at,
    metrics_port,
    openmetrics_series,
    scraped,
    scraped_at,
    series,
    wait_for,
)
from tests.support.server import LiveServer
from tests.support.settings import Settings
from tests.support.valkey import Valkey
from tests.support.wire import Wire, get, post

_CANARY = "yellow-canary-5150"
_KEY = "a-key-for-metrics-only"
_REPLIES = 'chat_replies_total{bot="simulator",outcome="completed"}'
_LONG_REPLY = "/simulate repeat=12\n" + "x " * 7_900
"""Its events take more than the kernel's buffers."""


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """A service with a listener for metrics, and short time limits."""
    with LiveServer(metrics_port=0, stalled_seconds=0.5, max_reply_characters=10_000_000) as server:
        yield server


def _asked(port: int, request: bytes) -> int:
    with Wire(port) as wire:
        wire.send(request)
        return wire.answer().status


def test_the_listener_has_the_metrics_and_nothing_else(server: LiveServer) -> None:
    """For names of this machine, so that no web page can read them; a problem for all else."""
    port = metrics_port(server)
    assert _asked(server.port, post(_CANARY)) == 200
    found = answer_at(port)
    assert found.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert series(found.body.decode())[_REPLIES] >= 1
    assert answer_at(port, {"Host": "evil.example"}).problem_code() == "host-not-allowed"
    assert _asked(port, get("/api/health")) == 404
    assert _asked(port, get("/")) == 404
    assert _asked(port, get("/metrics").replace(b"GET", b"POST", 1)) == 405
    with Wire(port) as wire:
        wire.send(get("/metrics").replace(b"GET", b"HEAD", 1))
        assert wire.answer(to_head=True).status == 200
        wire.send(get("/metrics"))  # on the same connection
        assert wire.answer().status == 200


@pytest.mark.parametrize(
    ("accept", "is_open"),
    [
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", True),
        ("application/openmetrics-text;q=0.1,text/plain", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;version=x\ty", True),
        ("text/plain;version=9999999999.x", False),
        ("*/*", False),
        ("text/html", False),
        ("", False),
        (";;;q=,=", False),
    ],
)
def test_the_client_chooses_the_format(server: LiveServer, accept: str, is_open: bool) -> None:  # noqa: FBT001 - a row
    """OpenMetrics if it says so, whatever version it names; else the text format, whatever it says."""
    found = answer_at(metrics_port(server), {"Accept": accept})
    text = found.body.decode()
    assert found.status == 200
    assert text.endswith("# EOF\n") == is_open
    if is_open:
        assert found.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert openmetrics_series(text).keys() == scraped_at(metrics_port(server)).keys()


def test_nothing_of_a_message_and_no_id_is_in_the_metrics(server: LiveServer) -> None:
    """And there are as many series after any number of requests as before."""
    port = metrics_port(server)
    before = scraped_at(port)
    with Wire(server.port) as wire:
        wire.send(post(f"{_CANARY}", {"Idempotency-Key": _CANARY, "Traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}))
        reply_id = wire.answer().headers["reply-id"]
    for path in (f"/{_CANARY}", f"/api/replies/{_CANARY}", f"/api/conversations?{_CANARY}=1"):
        assert _asked(server.port, get(path)) in {400, 404}
    text = answer_at(port, {"Accept": "application/openmetrics-text"}).body.decode()
    assert _CANARY not in text
    assert reply_id not in text
    assert "a" * 32 not in text
    assert scraped_at(port).keys() == before.keys()


def test_a_client_that_accepts_no_byte_is_counted_when_it_is_cut(server: LiveServer) -> None:
    """Only then: one that reads slowly is not."""
    port = metrics_port(server)
    before = scraped_at(port)["chat_slow_readers_cut_total"]
    with Wire(server.port, receive_buffer=4096) as wire:
        wire.send(post(_LONG_REPLY))
        wait_for(port, lambda found: found["chat_slow_readers_cut_total"] == before + 1)


def test_scrapes_and_replies_do_not_disturb_each_other(server: LiveServer) -> None:
    """Two scrapers, which ask all the time, and clients that leave in the middle of a reply and of a scrape."""
    port = metrics_port(server)
    before = scraped_at(port)[_REPLIES]
    over = threading.Event()
    counts: list[list[float]] = [[], []]

    def scrape(seen: list[float]) -> None:
        while not over.is_set():
            seen.append(scraped_at(port)[_REPLIES])

    scrapers = [threading.Thread(target=scrape, args=(seen,)) for seen in counts]
    for scraper in scrapers:
        scraper.start()
    for _ in range(30):
        assert _asked(server.port, post("hello there")) == 200
        with Wire(port) as wire:
            wire.send(get("/metrics"))
            wire.reset()
    over.set()
    for scraper in scrapers:
        scraper.join()
    assert all(seen == sorted(seen) and len(seen) > 1 for seen in counts)
    wait_for(port, lambda found: found[_REPLIES] >= before + 30)  # one of an earlier test may have ended as well
    assert not [entry for entry in server.log_entries() if entry["event"] == "defect"]


async def test_a_key_for_metrics_opens_them_and_nothing_else() -> None:
    """And with one, no other credentials do; without one, those of the service do."""
    url = fresh_database_url()
    own, _ = await made_key(url)
    with LiveServer(database_url=url, metrics_key=_KEY) as server:
        assert answer_at(server.port, {"Authorization": f"Bearer {_KEY}"}).status == 200
        assert answer_at(server.port, {"Authorization": bearer(own)}).problem_code() == "invalid-token"
        assert answer_at(server.port).problem_code() == "credentials-missing"
        assert _asked(server.port, get("/api/conversations", {"Authorization": f"Bearer {_KEY}"})) == 401
        server.terminate()
        server.wait()
        assert _KEY not in server.log()
    with LiveServer(metrics_key=_KEY, allowed_hosts="chat.example") as server:
        signed = {"Authorization": f"Bearer {_KEY}", "Host": "10.0.0.1"}  # Prometheus calls instances by address
        assert answer_at(server.port, signed).status == 200
        assert answer_at(server.port, {"Host": "10.0.0.1"}).problem_code() == "credentials-missing"
    with LiveServer(database_url=url) as server:
        assert answer_at(server.port, {"Authorization": bearer(own)}).status == 200
        assert answer_at(server.port).problem_code() == "credentials-missing"


def test_where_anybody_may_use_the_service_only_a_key_opens_the_metrics() -> None:
    """However it came to be open. On a machine of one's own they are open."""
    for name, value in (("allow_anyone", "1"), ("allowed_hosts", "localhost")):
        with LiveServer(**{name: value}) as server:  # type: ignore[arg-type]  # a setting
            assert _asked(server.port, get("/api/conversations")) == 200
            assert answer_at(server.port).problem_code() == "credentials-missing"
    with LiveServer() as server:
        assert answer_at(server.port).status == 200
    with LiveServer(metrics="off") as server:
        assert answer_at(server.port).problem_code() == "path-not-found"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_that_is_taken_is_one_line(workers: int) -> None:
    """About the setting of that port, and before anything is served."""
    database_url = fresh_database_url("postgresql" if workers > 1 else "sqlite")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {"METRICS_PORT": port, "PORT": 0, "WORKERS": workers, "DATABASE_URL": database_url}
        run = subprocess.run(
            [sys.executable, "-m", "app"],
            cwd=ROOT,
            env=os.environ | {f"CHAT_{name}": str(value) for name, value in settings.items()},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    assert run.returncode == 3
    assert run.stderr == (
        f"CHAT_METRICS_PORT: 127.0.0.1:{port} is in use by another program. "
        "Next: stop that, or set CHAT_METRICS_PORT to another port\n"
    )


def test_the_services_own_port_is_one_line() -> None:
    """Both would be bound, and one of them would blame another program."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = subprocess.run(
        [sys.executable, "-m", "app", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"CHAT_METRICS_PORT": str(port), "CHAT_DATABASE_URL": fresh_database_url()},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr == (
        "CHAT_METRICS_PORT: this is the service's own port, which has GET /metrics as well. "
        "Next: set another port, or leave it unset\n"
    )


def test_replies_that_a_crash_has_left_are_counted() -> None:
    """By the process that finds them."""
    url = fresh_database_url()
    with LiveServer(database_url=url) as server, Wire(server.port) as wire:
        wire.send(post("/simulate stall_after=2\none two three"))
        wire.head()
        server.process.kill()
        server.process.wait(10)
    with LiveServer(database_url=url) as server:
        assert scraped_at(server.port)["chat_orphans_sealed_total"] == 1


async def test_the_engine_is_timed_by_how_its_response_ended() -> None:
    """Completed, failed, and cancelled because nobody reads; a request that is repeated counts each time."""
    scripts = (speaks("Hi ", "there"), answer(400), begun(chunk("Hi "), chunk("there ")))
    async with FakeEngine(*scripts) as engine:
        settings = {"bot": "openai", "openai_base_url": engine.url, "openai_model": "m"}
        async with Client(create_app(Settings.model_validate(settings))) as client:
            for _ in scripts[:2]:
                await client.request("POST", WHOLE, json={"user_message": "hello"})
            async with client.stream("POST", CHAT, json={"user_message": "hello"}) as response:
                assert response.status == 200
            with anyio.fail_after(30):
                while (found := await scraped(client))['chat_upstream_seconds_count{outcome="cancelled"}'] == 0:
                    await anyio.sleep(0.01)
    assert found['chat_upstream_seconds_count{outcome="completed"}'] == 1
    assert found['chat_upstream_seconds_count{outcome="failed"}'] == 1


def test_a_lost_valkey_and_the_lease_show() -> None:
    """Whether the server of shared logs can be used, how long its exchanges take, and the last sign of life."""
    url = fresh_database_url("postgresql")
    with Valkey() as valkey, LiveServer(database_url=url, valkey_url=valkey.url, lease_seconds=2) as server:
        assert _asked(server.port, post("hello there")) == 200
        found = wait_for(server.port, lambda found: found['chat_log_seconds_count{operation="append"}'] >= 1)
        assert found["chat_log_up"] == 1
        assert 0 <= found["chat_lease_age_seconds"] < 2
        valkey.kill()
        wait_for(server.port, lambda found: found["chat_log_up"] == 0)
        valkey.start()
        wait_for(server.port, lambda found: found["chat_log_up"] == 1)
    with LiveServer() as server:  # without either there is nothing to tell
        assert not {"chat_log_up", "chat_lease_age_seconds"} & scraped_at(server.port).keys()


def _workers(server: LiveServer) -> list[int]:
    pids: list[int] = json.loads(server.wait_for_log(lambda line: "running on" in line))["workers"]
    return pids


def _containing(text: str) -> Callable[[str], bool]:
    return lambda line: text in line


def test_workers_are_added_up_and_one_that_dies_takes_nothing_with_it() -> None:
    """At any worker and at the parent: what it had counted stays, and what it had open is gone."""
    url = fresh_database_url("postgresql")
    with (
        LiveServer(workers=2, database_url=url, metrics_port=0, metrics_key=_KEY, start_seconds=60) as server,
        ExitStack() as stack,
    ):
        port = metrics_port(server)
        wires = [stack.enter_context(Wire(server.port)) for _ in range(8)]
        at_worker = []
        for wire in wires:
            wire.send(get("/api/health"))
            line = server.wait_for_log(_containing(wire.answer().headers["x-request-id"]))
            at_worker.append(json.loads(line)["worker"])
            wire.send(post("/simulate stall_after=2\none two three"))
            assert wire.head()[0] == 200
        assert scraped_at(port)["chat_replies_running"] == 8
        for _ in range(10):
            assert _asked(server.port, post("hello there")) == 200
        wait_for(port, lambda found: found[_REPLIES] == 10)
        for _ in range(4):
            found = series(answer_at(server.port, {"Authorization": f"Bearer {_KEY}"}).body.decode())
            assert found[_REPLIES] == 10
        psutil.Process(_workers(server)[0]).kill()
        server.wait_for_log(lambda line: "has died" in line)
        found = wait_for(port, lambda found: found["chat_replies_running"] < 8)
        assert found["chat_replies_running"] == at_worker.count(2)
        assert found[_REPLIES] == 10
        server.wait_for_log(lambda line: "the worker is replaced" in line, 60)
        for _ in range(10):
            assert _asked(server.port, post("hello there")) == 200
        wait_for(port, lambda found: found[_REPLIES] == 20)
        for wire in wires:
            wire.reset()
        server.process.send_signal(signal.SIGTERM)
        server.wait(60)
        assert "Traceback" not in server.log()
