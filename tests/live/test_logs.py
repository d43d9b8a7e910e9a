"""The log is one JSON object per line, and contains no text of users or bots."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.support.addresses import BOTH, WHOLE
from tests.support.server import LiveServer
from tests.support.service import SERVICE
from tests.support.wire import Wire, get, post, request

_CANARY = "yellow-canary-5150"


def test_no_line_of_the_log_holds_a_message() -> None:
    """Valid requests, invalid ones, and garbage; in the body, the query, and a header."""
    with LiveServer(log_level="debug", resume_window_seconds=0) as server:
        for sent in (
            post(_CANARY),
            post(_CANARY, path=WHOLE),
            post(f"/simulate fail_after=1\n{_CANARY} {_CANARY}"),
            post(f"/simulate {_CANARY}"),
            request(f'{{"user_message": "{_CANARY}'.encode()),
            request(f'{{"user_message": 1, "{_CANARY}": 2}}'.encode()),
            request(_CANARY.encode(), {"Content-Type": _CANARY}),
            post("hello", {"Authorization": f"Bearer {_CANARY}", "Cookie": _CANARY, "Accept": _CANARY}),
            get(f"/api/health?{_CANARY}=1"),
            f"{_CANARY}\r\n\r\n".encode(),
        ):
            with Wire(server.port) as wire:
                wire.send(sent)
                wire.answer()
        with Wire(server.port) as wire:
            wire.send(post(f"/simulate stall_after=2\n{_CANARY} {_CANARY} {_CANARY}"))
            wire.receive_until(_CANARY.encode())
        server.terminate()
        server.wait()
        assert _CANARY not in server.log()
        requests = [entry for entry in server.log_entries() if entry["event"] == "request"]
        assert len(requests) == 10  # garbage is not a request
        assert {entry["path"] for entry in requests} == {"/api/chat", "/api/replies", "/api/health"}


def test_a_bot_that_raises_is_logged_without_what_it_said() -> None:
    """With the frames; but the exception's text may be the user's or the model's."""
    with LiveServer(program=SERVICE) as server:
        for message in (f"raise ValueError {_CANARY}", f"speak and raise LookupError {_CANARY}"):
            for path in BOTH:
                with Wire(server.port) as wire:
                    wire.send(post(message, path=path))
                    assert _CANARY.encode() not in wire.answer().body
        server.terminate()
        server.wait()
        assert _CANARY not in server.log()
        errors = [entry for entry in server.log_entries() if entry["level"] == "error"]
        assert len(errors) == 4
        assert "ValueError" in str(errors[0])
        assert "service.py" in str(errors[0])


def test_every_request_has_one_line_with_the_id_that_its_response_has() -> None:
    """So that a problem reported by a user can be found."""
    with LiveServer() as server:
        ids = {}
        for sent in (post("hello"), get("/api/health"), get("/nothing/here"), request(b"{")):
            with Wire(server.port) as wire:
                wire.send(sent)
                answer = wire.answer()
                ids[answer.headers["x-request-id"]] = answer.status
        server.terminate()
        server.wait()
        requests = [entry for entry in server.log_entries() if entry["event"] == "request"]
    assert {entry["request_id"]: entry["status"] for entry in requests} == ids
    assert not [entry for entry in requests if "trace_id" in entry]
    assert sorted(str(entry["method"]) for entry in requests) == ["GET", "GET", "POST", "POST"]
    assert all(isinstance(entry["duration_ms"], float) for entry in requests)


def _ends(reply_id: str) -> Callable[[str], bool]:
    return lambda line: '"event":"reply"' in line and reply_id in line


def test_the_end_of_each_reply_has_one_line() -> None:
    """With the ids of the reply, its conversation and its request, how it ended, and how long that took."""
    with LiveServer(resume_window_seconds=0) as server:
        asked = {
            "completed": "a b c",
            "failed": "/simulate fail_after=1\na b c",
            "abandoned": "/simulate stall_after=2\na b c",
        }
        expected = {}
        for outcome, message in asked.items():
            with Wire(server.port) as wire:
                wire.send(post(message, {"Traceparent": f"00-{_TRACE}-{_SPAN}-01"}))
                headers = wire.head()[1]
                if outcome != "abandoned":
                    while wire.chunk():
                        pass
                expected[headers["reply-id"]] = (headers["conversation-id"], headers["x-request-id"], outcome)
            server.wait_for_log(_ends(headers["reply-id"]))
        with Wire(server.port) as wire:  # a refused reply has ended, too
            wire.send(post("/simulate status=503\n"))
            assert wire.answer().status == 503
        server.terminate()
        server.wait()
        lines = {entry["reply_id"]: entry for entry in server.log_entries() if entry["event"] == "reply"}
    early = [lines.pop(reply_id) for reply_id in lines.keys() - expected.keys()]
    assert [(entry["outcome"], entry["problem"], entry["words"], entry["first_word_ms"]) for entry in early] == [
        ("failed", "bot-unavailable", 0, None)
    ]
    for reply_id, entry in lines.items():
        assert (entry["conversation_id"], entry["request_id"], entry["outcome"]) == expected[str(reply_id)]
        assert (entry["bot"], entry["trace_id"]) == ("simulator", _TRACE)
        assert entry.get("problem") == ("bot-failed" if entry["outcome"] == "failed" else None)
        assert 0 < float(str(entry["first_word_ms"])) <= float(str(entry["duration_ms"]))
    assert len(lines) == len(expected)


@pytest.mark.parametrize("style", ["json", "console"])
def test_uvicorns_lines_look_like_ours(style: str, tmp_path: Path) -> None:
    """Also where uvicorn runs the application, and would have a format and a line for each request of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ours = {"CHAT_DATABASE_URL": f"sqlite:///{tmp_path}/chat.db", "CHAT_LOG_FORMAT": style}
    program = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)]
    with subprocess.Popen(
        program, cwd=ROOT, env=os.environ | ours, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stderr
        try:
            lines = [process.stderr.readline()]
            while "running on" not in lines[-1]:
                lines.append(process.stderr.readline())
            with Wire(port) as wire:
                wire.send(get("/api/health?lastEventId=1"))
                assert wire.answer().status == 200
            process.terminate()
            lines += process.stderr.readlines()
        finally:
            process.kill()
    assert len([line for line in lines if "/api/health" in line]) == 1
    assert any("Shutting down" in line for line in lines)
    for line in lines:
        assert {"event", "level", "timestamp"} <= json.loads(line).keys() if style == "json" else "[" in line
        assert "INFO:" not in line


_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_SPAN = "00f067aa0ba902b7"


def test_a_request_that_belongs_to_a_trace_says_so_in_its_line() -> None:
    """By the trace id; an invalid `traceparent` is ignored, and nothing of it is logged."""
    good = [f"00-{_TRACE}-{_SPAN}-01", f"00-{_TRACE}-{_SPAN}-00", f"cc-{_TRACE}-{_SPAN}-01"]
    bad = ["", "0" * 55, f"00-{'0' * 32}-{_SPAN}-01", f"00-{_TRACE.upper()}-{_SPAN}-01", f"{_CANARY}-{_TRACE}", _CANARY]
    with LiveServer() as server:
        for value in good + bad:
            for raw in (post("hello", {"Traceparent": value}), get("/api/health", {"traceparent": value})):
                with Wire(server.port) as wire:
                    wire.send(raw)
                    assert wire.answer().status == 200
        server.terminate()
        server.wait()
        traces = [entry.get("trace_id") for entry in server.log_entries() if entry["event"] == "request"]
        assert traces == [_TRACE] * 2 * len(good) + [None] * 2 * len(bad)
        assert _CANARY not in server.log()


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """Its disk is full, or whoever read it has gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    program = ["sh", "-c", f"exec {sys.executable} -m app --bot simulator --port {port} 2>/dev/full"]
    environment = os.environ | {"CHAT_DATABASE_URL": f"sqlite:///{tmp_path}/chat.db"}
    with subprocess.Popen(program, cwd=ROOT, env=environment) as process:
        try:
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                with suppress(ConnectionRefusedError), Wire(port) as wire:
                    for _ in range(3):
                        wire.send(post("hello there"))
                        assert wire.answer().transcript().text == "hello there"
                    return
                time.sleep(0.1)
            pytest.fail(f"it ended with {process.returncode}")
        finally:
            process.kill()


@pytest.mark.parametrize("style", ["json", "console"])
def test_each_line_of_a_worker_names_it(style: str) -> None:
    """In both formats, those of libraries as well; a service without workers names none."""
    code = (
        "import logging, structlog, sys; from app import logs; worker = int(sys.argv[2]) or None;"
        "logs.configure('info', sys.argv[1], worker=worker);"
        "structlog.get_logger().info('ours'); logging.getLogger('a library').warning('its own')"
    )
    for worker in (3, 0):
        run = subprocess.run(
            [sys.executable, "-c", code, style, str(worker)],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        first, second = re.sub("\x1b\\[[0-9;]*m", "", run.stderr).splitlines()
        for line in (first, second):
            assert ("worker" in line) == bool(worker)
            assert not worker or re.search('worker"?[:=]3', line)
