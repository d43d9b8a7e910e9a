"""Many replies of the real model, eight at a time, a third of them abandoned or cancelled: none fails, nothing leaks.

By default there are sixteen replies; with `--laws 10000`, 600.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil
import pytest

from tests.support.local import ask, chat, local_server, model_process, until_ready
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, cancel, get, post

_logger = logging.getLogger(__name__)

_AT_ONCE = 8
_MORE_BYTES = 8 * 2**20
"""Less than this is not a leak: caches fill, and the allocator keeps memory. Leaked replies would show: with 200 of
them, at 40 kB each."""

_LATE_FILES = 20
"""Opened on first use and kept: five connections to the database with three files each, and so on."""

_LATE_THREADS = 5
"""A thread for each of those connections."""

_MESSAGES = ["Tell me about the sea.", "hello", "Write a poem about Ada.", "Why is the sky blue?", "1 2 3 4 5 6 7"]


@dataclass(frozen=True, slots=True)
class _Cost:
    """The resources of the service and its model."""

    service_bytes: int
    model_bytes: int
    files: int
    threads: int


def _cost(server: LiveServer) -> _Cost:
    service, model = psutil.Process(server.process.pid), model_process(server)
    return _Cost(
        service.memory_info().rss,
        model.memory_info().rss,
        service.num_fds() + model.num_fds(),
        service.num_threads() + model.num_threads(),
    )


def _reply(server: LiveServer, number: int) -> None:
    """One of three replies is not read to its end: it is abandoned or cancelled."""
    message = _MESSAGES[number % len(_MESSAGES)]
    match number % 6:
        case 0:
            with Wire(server.port) as wire:
                wire.send(post(message))
                if number % 4:
                    wire.head()
        case 3:
            with Wire(server.port) as wire:
                wire.send(post(message))
                status, headers = wire.head()
                assert status == 200
                _cancel(server, headers["reply-id"])
                stopped = Answer(200, {}, b"".join(iter(wire.chunk, b""))).transcript().reply
                assert stopped.finish_reason in {"cancelled", "length", "stop"}
        case 1:
            assert ask(server, chat(message)).json()["usage"]["completion_tokens"]
        case _:
            assert ask(server, post(message)).transcript().reply.usage


def _cancel(server: LiveServer, reply_id: str) -> None:
    with Wire(server.port) as wire:
        wire.send(cancel(reply_id))
        assert wire.head()[0] == 204


def test_hundreds_of_replies_leave_nothing_behind(pytestconfig: pytest.Config) -> None:
    """Memory, open files and threads are the same as after the first of them."""
    count = 600 * pytestconfig.getoption("laws") // 10_000
    first, rest = max(_AT_ONCE, count // 3), max(_AT_ONCE, count - count // 3)
    with local_server(local_slots=4, resume_window_seconds=0, retention_seconds=1) as server:
        until_ready(server)
        with ThreadPoolExecutor(_AT_ONCE) as clients:
            list(clients.map(lambda number: _reply(server, number), range(first)))
            before = _cost(server)
            list(clients.map(lambda number: _reply(server, number), range(first, first + rest)))
            after = _cost(server)
        _logger.info("from %s to %s", before, after)
        assert after.service_bytes < before.service_bytes + _MORE_BYTES, (before, after)
        assert after.model_bytes < before.model_bytes + _MORE_BYTES, (before, after)
        assert after.files <= before.files + _LATE_FILES, (before, after)
        assert after.threads <= before.threads + _LATE_THREADS, (before, after)
        assert ask(server, get("/api/ready")).status == 200
        # There may be warnings: llama.cpp closes idle connections at any time, and the bot retries.
        assert not [entry for entry in server.log_entries() if entry["level"] == "error"]
