"""`python -m app --workers 2`: several processes, which start, serve, drain and end as one."""

import itertools
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.addresses import events_of, reply_at
from tests.support.databases import fresh_database_url
from tests.support.defective import DEFECTIVE
from tests.support.forks import fork
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, cancel, get, post

_PATIENCE_SECONDS = 30.0
_WORDS = "".join(f"word{n} " for n in range(40))


def _two_workers(**settings: object) -> LiveServer:
    return LiveServer(
        workers=2,
        database_url=fresh_database_url("postgresql"),
        lease_seconds=2,
        save_every_seconds=0.05,
        first_word_seconds=0.01,
        start_seconds=60,
        **settings,  # type: ignore[arg-type]  # of any type, but none of its other parameters
    )


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One service for all tests that do not end it."""
    with _two_workers(drain_seconds=20) as server:
        yield server


def _workers(server: LiveServer) -> list[int]:
    """The process ids, as the log has them when the service has started."""
    line = server.wait_for_log(lambda line: "running on" in line)
    pids = json.loads(line)["workers"]
    assert isinstance(pids, list)
    return pids


def _pid_of(server: LiveServer, worker: int) -> int:
    """The process id of this worker, which may have been replaced."""
    pid = _workers(server)[worker - 1]
    for entry in server.log_entries():
        if entry["event"] == "the worker is replaced" and entry["worker"] == worker:
            pid = int(str(entry["pid"]))
    return pid


def _worker_of(server: LiveServer, answer_headers: dict[str, str]) -> int:
    """The number of the worker that has answered a request."""
    wanted = answer_headers["x-request-id"]
    line = server.wait_for_log(lambda line: f'"{wanted}"' in line)
    return int(json.loads(line)["worker"])


def _wire_to(server: LiveServer, worker: int, stack: ExitStack) -> Wire:
    """A connection to this worker."""
    while True:
        wire = stack.enter_context(Wire(server.port))
        wire.send(get("/api/health"))
        if _worker_of(server, dict(wire.answer().headers)) == worker:
            return wire


def _begin(wire: Wire, directive: str) -> str:
    """Start a reply, and read its first word. Returns its id."""
    wire.send(post(f"/simulate {directive}\n{_WORDS}"))
    status, headers = wire.head()
    assert status == 200
    wire.chunk()
    return headers["reply-id"]


def _rest(wire: Wire) -> bytes:
    return b"".join(iter(wire.chunk, b""))


def _asked(wire: Wire, request: bytes) -> Answer:
    wire.send(request)
    return wire.answer()


def _ended(pids: list[int]) -> bool:
    """Whether all have ended. They are nobody's children when their parent is dead."""
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    return not psutil.wait_procs(processes, _PATIENCE_SECONDS)[1]


def test_the_workers_share_the_connections(server: LiveServer) -> None:
    """Each has its part of them; the log says who answers, and announces the service once."""
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.port)) for _ in range(20)]
        workers = [_worker_of(server, dict(_asked(wire, get("/api/ready")).headers)) for wire in wires]
        assert set(workers) == {1, 2}  # half and half on an idle machine; who is kept busy gets fewer
    assert server.log().count("running on") == 1
    assert server.log().count("replies come from the bot") == 1


def test_any_worker_resumes_and_cancels(server: LiveServer) -> None:
    """A reply of the other one; its first reader gets the end of it, too."""
    with ExitStack() as stack:
        reader, other = _wire_to(server, 1, stack), _wire_to(server, 2, stack)
        reply_id = _begin(reader, "stall_after=3")
        other.send(get(events_of(reply_id), {"Last-Event-ID": f"{reply_id}:1"}))
        other.receive_until(b"data: word1 \n")
        assert _asked(_wire_to(server, 2, stack), cancel(reply_id)).status in {200, 202, 204}
        assert b'"finish_reason":"cancelled"' in _rest(reader)
        assert b'"finish_reason":"cancelled"' in other.receive_until(b"0\r\n\r\n")


def test_a_worker_that_is_killed_is_replaced(server: LiveServer) -> None:
    """Its reply ends as interrupted; the other worker serves on, and so does the new one."""
    with ExitStack() as stack:
        reader, other = _wire_to(server, 2, stack), _wire_to(server, 1, stack)
        reply_id = _begin(reader, "stall_after=3")
        psutil.Process(_pid_of(server, 2)).kill()
        entry = json.loads(server.wait_for_log(lambda line: "has died" in line))
        assert (entry["worker"], entry["ended_with"]) == (2, "SIGKILL")
        assert _asked(other, get("/api/ready")).status == 200
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (state := _asked(other, get(reply_at(reply_id))).json()["state"]) == "running":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert state == "interrupted"
        server.wait_for_log(lambda line: "is replaced" in line and '"info"' in line, _PATIENCE_SECONDS)
        assert _asked(_wire_to(server, 2, stack), post("hello")).status == 200
    assert "Traceback" not in server.log()


def test_a_worker_that_stands_still_is_replaced(server: LiveServer) -> None:
    """Nothing but its silence tells: the process is there."""
    with ExitStack() as stack:
        other = _wire_to(server, 2, stack)
        psutil.Process(_pid_of(server, 1)).suspend()
        entry = json.loads(server.wait_for_log(lambda line: "does not answer and is killed" in line, 60))
        assert (entry["worker"], entry["level"]) == (1, "error")
        assert _asked(other, get("/api/ready")).status == 200
        pid = entry["pid"]
        server.wait_for_log(lambda line: "has died" in line and f'"pid":{pid}' in line)
        assert _asked(_wire_to(server, 1, stack), post("hello")).status == 200
    assert "Traceback" not in server.log()


def test_a_worker_that_cannot_be_replaced_is_replaced_when_it_can(server: LiveServer) -> None:
    """Its parent lacks descriptors: for the channel, and then for the process. Meanwhile the other worker serves."""
    parent = psutil.Process(server.process.pid)
    open_files, others, worker = parent.num_fds(), [_pid_of(server, 1)], _pid_of(server, 2)
    limits = parent.rlimit(psutil.RLIMIT_NOFILE)
    used = {int(entry.name) for entry in Path(f"/proc/{parent.pid}/fd").iterdir()}
    unused = [number for number in range(1024) if number not in used]
    try:
        parent.rlimit(psutil.RLIMIT_NOFILE, (unused[0], limits[1]))
        psutil.Process(worker).kill()  # which frees one
        for attempt, more in enumerate((unused[2], limits[0]), 1):
            entry = _failed_to_replace(server, attempt)
            assert (entry["worker"], entry["level"]) == (2, "error")
            (reason,) = entry["reasons"]
            assert reason.endswith(": Too many open files. Next: raise the limit on open files (ulimit -n)")
            assert parent.num_fds() == open_files - 1
            assert [child.pid for child in parent.children()] == others
            with Wire(server.port) as wire:
                assert _asked(wire, post("hello")).status == 200
            parent.rlimit(psutil.RLIMIT_NOFILE, (more, limits[1]))
    finally:
        parent.rlimit(psutil.RLIMIT_NOFILE, limits)
    with ExitStack() as stack:
        server.wait_for_log(
            lambda line: "the worker is replaced" in line and '"worker":2' in line and f'"pid":{worker}' not in line,
            _PATIENCE_SECONDS,
        )
        assert _asked(_wire_to(server, 2, stack), post("hello")).status == 200
    assert "Traceback" not in server.log()


def _failed_to_replace(server: LiveServer, times: int) -> dict[str, Any]:
    """The line of the log that says so, once there are so many."""
    count = itertools.count(1)
    line = server.wait_for_log(
        lambda line: "a worker cannot be replaced" in line and next(count) == times, _PATIENCE_SECONDS
    )
    entry: dict[str, Any] = json.loads(line)
    return entry


def test_a_worker_that_is_signalled_finishes_its_replies_and_is_replaced(server: LiveServer) -> None:
    """New connections go to the others meanwhile, however often it is signalled."""
    with ExitStack() as stack:
        reader = _wire_to(server, 1, stack)
        _begin(reader, "pace_ms=80")  # for longer than connections have to close when nothing drains
        worker = psutil.Process(_pid_of(server, 1))
        for _ in range(3):
            worker.send_signal(signal.SIGTERM)
            reader.chunk()  # signals that come at once are one
        assert _WORDS.split()[-1].encode() in _rest(reader)
        server.wait_for_log(lambda line: "has ended and is replaced" in line)
        with Wire(server.port) as wire:
            assert _asked(wire, get("/api/ready")).status == 200


def test_sigterm_drains_all_workers() -> None:
    """Also if every process gets it, as from a service manager: then it counts once. A reply of each finishes."""
    with _two_workers(drain_seconds=60) as server, ExitStack() as stack:
        wires = [_wire_to(server, number, stack) for number in (1, 2)]
        for wire in wires:
            _begin(wire, "pace_ms=40")
        for pid in _workers(server):
            os.kill(pid, signal.SIGTERM)
        server.terminate()
        for wire in wires:
            assert b'"finish_reason":"stop"' in _rest(wire)
        assert server.wait(_PATIENCE_SECONDS) == -signal.SIGTERM
        assert _ended(_workers(server))
        assert "is replaced" not in server.log()
        assert "Traceback" not in server.log()
        server.log_entries()


def test_a_second_signal_stops_all_workers() -> None:
    """The operator has decided."""
    with _two_workers(drain_seconds=3600) as server, ExitStack() as stack:
        wires = [_wire_to(server, number, stack) for number in (1, 2)]
        for wire in wires:
            _begin(wire, "stall_after=3")
        server.interrupt()
        while _asked(stack.enter_context(Wire(server.port)), get("/api/ready")).status == 200:
            pass
        assert server.process.poll() is None
        server.interrupt()
        assert server.wait(_PATIENCE_SECONDS) in {-signal.SIGINT, 130}
        assert _ended(_workers(server))
        assert "Traceback" not in server.log()


def test_a_defect_of_the_parent_ends_no_reply() -> None:
    """The workers have their time to drain before it ends them."""
    with _two_workers(drain_seconds=60, program=DEFECTIVE) as server, ExitStack() as stack:
        wire = _wire_to(server, 1, stack)
        _begin(wire, "pace_ms=40")  # for longer than the parent waits on top of it
        psutil.Process(_pid_of(server, 2)).kill()
        assert b'"finish_reason":"stop"' in _rest(wire)
        assert server.wait(_PATIENCE_SECONDS) == 3
        assert _ended(_workers(server))
        assert server.log().count("LookupError was raised. Next: ") == 1


def test_without_their_parent_the_workers_drain_and_end() -> None:
    """The port is free at once, for whoever starts the service anew."""
    with _two_workers(drain_seconds=3600, resume_window_seconds=0) as server, ExitStack() as stack:
        wire = _wire_to(server, 1, stack)
        stack.callback(_kill, _workers(server))
        _begin(wire, "stall_after=3")
        pids = _workers(server)
        server.process.kill()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _is_free(server.port):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert psutil.pid_exists(pids[0])
        wire.__exit__(None, None, None)  # which ends the reply
        assert _ended(pids)
        assert "Traceback" not in server.log()


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


def _is_free(port: int) -> bool:
    with socket.socket() as successor:
        successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            successor.bind(("127.0.0.1", port))
            successor.listen()
        except OSError:
            return False
        return True


def _start(*arguments: str, **settings: object) -> tuple[int, list[str]]:
    """Returns the exit status, and the lines that are printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
    environment |= {f"CHAT_{name.upper()}": str(value) for name, value in settings.items()}
    ended = fork("app", ["--workers", "2", "--port", "0", *arguments], environment)
    with ended.stdout:
        printed = ended.stdout.read()
    return ended.wait(_PATIENCE_SECONDS), printed.splitlines()


def test_what_keeps_workers_from_starting_is_told_once() -> None:
    """With the exit status of a single process."""
    with socket.socket() as nobody:  # bound, and does not listen
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        status, lines = _start(database_url=f"postgresql://nobody@127.0.0.1:{port}/chat", storage_seconds=1)
    assert status == 3
    (line,) = lines
    assert line.startswith("CHAT_DATABASE_URL: ")


@pytest.mark.parametrize(
    ("bot", "database_url", "hint"),
    [
        ("greeter", "sqlite:///chat.db", "CHAT_DATABASE_URL=postgresql://"),
        ("local", "postgresql://nobody@127.0.0.1/chat", "CHAT_BOT=openai"),
    ],
    ids=["SQLite", "local"],
)
def test_what_several_workers_cannot_share_is_refused(bot: str, database_url: str, hint: str) -> None:
    """In one line that says what to set, before anything is started."""
    status, lines = _start("--bot", bot, database_url=database_url)
    assert status == 2
    (line,) = lines
    assert line.startswith("CHAT_WORKERS: ")
    assert hint in line
