"""A database that fails under a running service: 503, nothing half-written, and full recovery when it is back."""

import asyncio
import contextlib
import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.addresses import BOTH
from tests.support.databases import Postgres, fresh_database_url, run_sql, sqlite_file
from tests.support.mortal import MORTAL
from tests.support.server import LiveServer
from tests.support.service import SERVICE
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until
from tests.support.wire import Answer, Wire, get, post

_STORED = "SELECT text, state FROM messages WHERE role = 'assistant' ORDER BY created_ms"
_QUICKLY: dict[str, Any] = {"storage_seconds": 0.5, "save_every_seconds": 0.2}


def _ask(server: LiveServer, sent: bytes) -> Answer:
    with Wire(server.port) as wire:
        wire.send(sent)
        return wire.answer()


def _stored(server: LiveServer) -> list[tuple[Any, ...]]:
    return asyncio.run(run_sql(server.database_url, _STORED))


def _refuses(server: LiveServer) -> None:
    """New messages get 503, as a stream and as JSON; the process stays up."""
    for path in BOTH:
        refused = _ask(server, post("refused", path=path))
        assert (refused.status, refused.problem_code()) == (503, "storage-unavailable")
        assert int(refused.headers["retry-after"]) >= 1
    assert _ask(server, get("/api/health")).status == 200
    _is_unready(server)


def _is_unready(server: LiveServer) -> None:
    unready = _ask(server, get("/api/ready"))
    assert (unready.status, unready.problem_code()) == (503, "storage-unavailable")


def _begin(wire: Wire, upstream: Upstream) -> None:
    """A running reply with one word."""
    wire.send(post(upstream.message))
    upstream.accept()
    upstream.say("one")
    upstream.say("two")
    wire.receive_until(b"data: one\n")


def _fails_in_the_stream(wire: Wire, upstream: Upstream) -> None:
    """Its status has long been sent, so the stream reports the failure."""
    upstream.finish()
    rest = wire.receive_until(b"0\r\n\r\n")
    assert b"data: two\n" in rest
    assert b"event: failed" in rest
    assert b"urn:problem:storage-unavailable" in rest
    assert b'"retryable":true' in rest


def _recovers(server: LiveServer) -> None:
    """By itself: what was refused has left no trace, and what was acknowledged is kept."""
    wait_until(lambda: _ask(server, post("hello")).status == 200)
    wait_until(lambda: _stored(server)[0] == ("one\ntwo\n", "completed"))
    assert set(_stored(server)[1:]) == {("hello", "completed")}
    assert _ask(server, get("/api/ready")).status == 200
    assert "Traceback" not in server.log()


def test_a_full_disk() -> None:
    """Nothing more can be written; what is stored can still be read."""
    with (
        LiveServer(program=SERVICE, **_QUICKLY, database_url=fresh_database_url("sqlite")) as server,
        Upstream() as upstream,
        Wire(server.port) as wire,
    ):
        _begin(wire, upstream)
        process = psutil.Process(server.process.pid)
        limit = process.rlimit(resource.RLIMIT_FSIZE)
        process.rlimit(resource.RLIMIT_FSIZE, (0, limit[1]))
        _refuses(server)
        assert _ask(server, get("/api/conversations")).status == 200
        _fails_in_the_stream(wire, upstream)
        process.rlimit(resource.RLIMIT_FSIZE, limit)
        _recovers(server)
        with closing(sqlite3.connect(sqlite_file(server.database_url))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_file_that_must_not_be_written(tmp_path: Path) -> None:
    """With another owner, for example, after a restore. When that is fixed, no restart is needed."""
    url = f"sqlite:///{tmp_path}/chat.db"
    with LiveServer(database_url=url) as server:
        assert _ask(server, post("hello")).status == 200
        server.terminate()
        server.wait()
    sqlite_file(url).chmod(0o444)
    with LiveServer(database_url=url, program=MORTAL, **_QUICKLY) as server:
        _refuses(server)
        listed = _ask(server, get("/api/conversations"))
        assert [conversation["title"] for conversation in listed.json()["conversations"]] == ["hello"]
        for path in tmp_path.glob("chat.db*"):  # SQLite's other files inherit this file's permissions
            path.chmod(0o644)
        wait_until(lambda: _ask(server, post("again")).status == 200)
        for _ in range(20):
            assert _ask(server, post("again")).status == 200
        assert {text for text, _ in _stored(server)} == {"hello", "again"}


def test_readiness_finds_out_by_itself_that_nothing_can_be_written(tmp_path: Path) -> None:
    """On a disk that is really full, and before anybody's message is refused; and that there is room again."""
    if os.geteuid() != 0 or _run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)):
        pytest.skip("this needs a small disk, which only root can mount")
    try:
        with LiveServer(database_url=f"sqlite:///{tmp_path}/chat.db", **_QUICKLY) as server:
            assert _ask(server, get("/api/ready")).status == 200
            filler = tmp_path / "filler"
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(512))
            wait_until(lambda: _ask(server, get("/api/ready")).status == 503)
            _refuses(server)
            _give_back_two_pages(filler)
            _stays_unready(server)
            filler.unlink()
            wait_until(lambda: _ask(server, get("/api/ready")).status == 200)
            assert _ask(server, post("hello")).status == 200
            for _ in range(20):
                assert _ask(server, get("/api/ready")).status == 200
    finally:
        assert _run("umount", "-l", str(tmp_path)) == 0


def _give_back_two_pages(filler: Path) -> None:
    """A row that is changed finds room then; a message does not, which changes five pages at least."""
    os.truncate(filler, filler.stat().st_size - 2 * os.sysconf("SC_PAGE_SIZE"))


def _stays_unready(server: LiveServer) -> None:
    """After one message was refused, for longer than a refusal itself is proof."""
    assert _ask(server, post("refused")).status == 503
    for _ in range(3):
        time.sleep(1.1)
        _is_unready(server)
    assert _ask(server, post("refused")).status == 503


def _run(*command: str) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for destructive tests."""
    with Postgres() as postgres:
        yield postgres


def test_a_postgresql_that_is_restarted(postgres: Postgres) -> None:
    """And is down for a while. Afterwards the instance owns its replies again: another one leaves them alone."""
    url = postgres.database_url()
    with (
        LiveServer(program=SERVICE, **_QUICKLY, database_url=url, first_word_seconds=0.1) as server,
        Upstream() as upstream,
        Wire(server.port) as wire,
    ):
        _begin(wire, upstream)
        postgres.stop()
        _refuses(server)
        _fails_in_the_stream(wire, upstream)
        postgres.start()
        _recovers(server)
        with Wire(server.port) as running:
            _begin(running, upstream)
            with LiveServer(database_url=url) as other:
                assert _ask(other, get("/api/ready")).status == 200
                assert _stored(server)[-1][1] == "running"
            upstream.finish()
            assert b"event: done" in running.receive_until(b"0\r\n\r\n")


def test_a_postgresql_that_does_not_answer(postgres: Postgres) -> None:
    """It keeps its connections open without responding, as behind a network that drops all packets."""
    with (
        LiveServer(program=SERVICE, **_QUICKLY, database_url=postgres.database_url()) as server,
        Upstream() as upstream,
        Wire(server.port) as wire,
    ):
        _begin(wire, upstream)
        postgres.freeze()
        try:
            _refuses(server)
            _fails_in_the_stream(wire, upstream)
        finally:
            postgres.thaw()
        _recovers(server)


def test_a_postgresql_that_takes_no_more_connections(postgres: Postgres) -> None:
    """A refusal is an outage like any other."""
    url = postgres.database_url()
    name = url.partition("?")[0].rpartition("/")[2]
    with (
        LiveServer(program=SERVICE, **_QUICKLY, database_url=url) as server,
        Upstream() as upstream,
        Wire(server.port) as wire,
    ):
        _begin(wire, upstream)
        postgres.run("ALTER DATABASE :name ALLOW_CONNECTIONS false", name=name)
        postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'name'", name=name)
        _refuses(server)
        _fails_in_the_stream(wire, upstream)
        postgres.run("ALTER DATABASE :name ALLOW_CONNECTIONS true", name=name)
        _recovers(server)


def test_a_postgresql_that_takes_no_writes_for_a_while(postgres: Postgres) -> None:
    """Its sessions are of no use afterwards, though they are open: a restart is not needed."""
    url = postgres.database_url()
    name = url.partition("?")[0].rpartition("/")[2]
    with (
        LiveServer(program=SERVICE, **_QUICKLY, lease_seconds=2, database_url=url) as server,
        Upstream() as upstream,
        Wire(server.port) as wire,
    ):
        _begin(wire, upstream)
        postgres.run("ALTER DATABASE :name SET default_transaction_read_only = on", name=name)
        postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'name'", name=name)
        _refuses(server)
        assert _ask(server, get("/api/conversations")).status == 200
        postgres.run("ALTER DATABASE :name SET default_transaction_read_only = off", name=name)
        upstream.finish()
        wire.receive_until(b"0\r\n\r\n")
        _recovers(server)
