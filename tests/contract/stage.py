"""The situations that need processes: a server that drains, has crashed, has lost its database, or is not alone."""

import signal
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from tests.contract.asking import Request, chat, get, run
from tests.contract.wire import PATIENCE_SECONDS, exchange
from tests.support.databases import Postgres, fresh_database_url
from tests.support.server import LiveServer

STALLED = "/simulate stall_after=3\nhello there, my world"
"""A message whose reply has two words and no end: the third word is held until it is complete."""

_STALLED = chat(STALLED)

_PATIENT: dict[str, Any] = {"bot_silence_seconds": 3600, "reply_seconds": 3600}
"""Settings with which such a reply outlives the tests."""


class Stage:
    """Each situation is created on first use. A context manager that leaves no process behind."""

    def __enter__(self) -> Self:
        self._exits = ExitStack()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    @cached_property
    def draining(self) -> LiveServer:
        """A draining server that waits for a reply to end."""
        server = self._exits.enter_context(LiveServer(drain_seconds=600, **_PATIENT))
        running = self._exits.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS))
        begin(running)
        server.terminate()
        while exchange(server.port, get("/api/ready").raw()).status == 200:
            pass
        return server

    @cached_property
    def without_database(self) -> LiveServer:
        """A server whose database is gone."""
        postgres = self._exits.enter_context(Postgres())
        server = self._exits.enter_context(LiveServer(database_url=postgres.database_url()))
        assert exchange(server.port, get("/api/conversations").raw()).status == 200
        postgres.stop()
        return server

    @cached_property
    def elsewhere(self) -> tuple[LiveServer, Mapping[str, str]]:
        """A server next to one with the same database, which hangs while it generates a reply; and the reply's ids."""
        url = self._exits.enter_context(Postgres()).database_url()
        other = self._exits.enter_context(LiveServer(database_url=url, lease_seconds=600, **_PATIENT))
        running = self._exits.enter_context(socket.create_connection(("127.0.0.1", other.port), PATIENCE_SECONDS))
        ids = begin(running)
        other.process.send_signal(signal.SIGSTOP)
        return self._exits.enter_context(LiveServer(database_url=url)), ids

    @cached_property
    def crashed(self) -> tuple[LiveServer, Mapping[str, str]]:
        """A server after a crash; and the ids of a run of which a reader had two words, and the store none."""
        return self._after_a_crash(save_every_seconds=3600)

    @cached_property
    def crashed_late(self) -> tuple[LiveServer, Mapping[str, str]]:
        """A server after a crash; and the ids of a run of which two words were stored."""
        return self._after_a_crash(save_every_seconds=0.05)

    def _after_a_crash(self, *, save_every_seconds: float) -> tuple[LiveServer, Mapping[str, str]]:
        url = fresh_database_url("sqlite")
        with (
            LiveServer(database_url=url, save_every_seconds=save_every_seconds) as server,
            socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as running,
        ):
            ids = begin(running, run(STALLED))
            conversation = get("/api/conversations/{conversation_id}").of(ids).raw()
            deadline = time.monotonic() + PATIENCE_SECONDS
            while save_every_seconds < 1 and not exchange(server.port, conversation).json()["messages"][1]["text"]:
                assert time.monotonic() < deadline
            server.process.kill()
            server.process.wait(PATIENCE_SECONDS)
        return self._exits.enter_context(LiveServer(database_url=url)), ids


def begin(connection: socket.socket, asked: Request = _STALLED) -> dict[str, str]:
    """Start an endless reply, and read its two words. Returns its ids."""
    connection.sendall(asked.raw())
    received = b""
    while b":2\n" not in received:
        received += connection.recv(2**16) or b"".join(_closed(received))
    lines = [line.partition(": ") for line in received.decode().split("\r\n")]
    return {name.replace("-", "_"): value for name, _, value in lines if name in {"reply-id", "conversation-id"}}


def _closed(received: bytes) -> list[bytes]:
    raise AssertionError(f"the server closed the connection behind {received!r}")
