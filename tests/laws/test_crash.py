"""Law 6: `kill -9` at any moment, under load, loses nothing that was acknowledged, and leaves nothing half-written."""

import asyncio
import contextlib
import itertools
import json
import logging
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.addresses import events_of
from tests.support.databases import KINDS, Kind, fresh_database_url, run_sql
from tests.support.server import FROM_SCRATCH, LiveServer
from tests.support.stream import Event, Parser, check_stream
from tests.support.valkey import sharing
from tests.support.wire import Answer, Interrupted, Wire, get, post, request

_logger = logging.getLogger(__name__)

_CLIENTS = 8
_EXAMPLES_A_KILL = 50
"""The option `--laws` counts examples; one kill takes as long as this many."""
_MANY_CLIENTS, _MANY_EXAMPLES = 100, 1_000
"""With so many examples, one of two instances has so many clients: each kill then meets as many replies."""

_PATIENCE_SECONDS = 60.0
_BOTH = {"completed", "interrupted"}
"""How replies end in a crash; on a busy machine, more kills are necessary to see both."""
_LEASE_SECONDS = 1.0
"""Until a lease has ended, a retry gets the reply that a crash has left running."""


@dataclass(slots=True)
class _Exchange:
    """A message, and what its client has received of the reply."""

    text: str
    key: str
    body: bytes
    reply_id: str = ""
    """Set as soon as there is a 200: then the message is acknowledged."""
    words: list[str] = field(default_factory=list)
    done: bool = False
    """Whether the reply is acknowledged, too."""

    def take(self, event: Event) -> None:
        """Record an event of the stream."""
        if event.name == "message":
            self.words.append(event.data)
            assert event.id == f"{self.reply_id}:{len(self.words)}"
        else:
            assert event.name == "done", event
            assert json.loads(event.data)["text"] == self.text == "".join(self.words)
            self.done = True


class _Talker:
    """A client with one conversation, which it continues on the next server when one is killed."""

    def __init__(self, name: str) -> None:
        self.exchanges: list[_Exchange] = []
        self._name = name
        self._random = random.Random(name)  # noqa: S311 - not for secrets
        self._conversation: dict[str, str] = {}

    def talk(self, port: int, killed: threading.Event) -> None:
        """Send one message after another."""
        while not killed.is_set():
            try:
                with Wire(port) as wire:
                    self._exchange(wire)
            except (Interrupted, OSError):
                assert killed.wait(_PATIENCE_SECONDS), "a connection broke, though nobody had killed the server"

    def _exchange(self, wire: Wire) -> None:
        number = f"{self._name}-{len(self.exchanges)}"
        text = " ".join([number, *(f"word{n}" for n in range(self._random.randrange(40)))])
        message = f"/simulate pace_ms={self._random.randrange(4)}\n{text}"
        exchange = _Exchange(text, f"key-{number}", json.dumps({"user_message": message} | self._conversation).encode())
        self.exchanges.append(exchange)
        wire.send(request(exchange.body, {"Idempotency-Key": exchange.key}))
        status, headers = wire.head()
        assert status == 200
        exchange.reply_id = headers["reply-id"]
        self._conversation = {"conversation_id": headers["conversation-id"]}
        parser = Parser()
        while chunk := wire.chunk():
            for event in parser.feed(chunk):
                exchange.take(event)


class _Insister:
    """A client whose message always fails, and that retries it each time."""

    def __init__(self, name: str) -> None:
        self.message = f"/simulate fail_after=2 pace_ms=1\n{name} fails always"
        self.key = {"Idempotency-Key": f"key-{name}"}
        self.reply_ids: list[str] = []

    def talk(self, port: int, killed: threading.Event) -> None:
        """Retry until the server is killed."""
        while not killed.is_set():
            try:
                with Wire(port) as wire:
                    wire.send(post(self.message, self.key))
                    answer = wire.answer()
                    assert answer.transcript().problem.type == "urn:problem:bot-failed"
                    self.reply_ids.append(answer.headers["reply-id"])
            except (Interrupted, OSError):
                assert killed.wait(_PATIENCE_SECONDS), "a connection broke, though nobody had killed the server"


@dataclass(frozen=True, slots=True)
class _Row:
    conversation_id: str
    position: int
    role: str
    text: str
    reply_id: str | None
    state: str | None


def _rows(database_url: str) -> list[_Row]:
    sql = "SELECT conversation_id, position, role, text, reply_id, state FROM messages ORDER BY 1, 2"
    return [_Row(*row) for row in asyncio.run(run_sql(database_url, sql))]


def _wait_for_sealing(database_url: str) -> None:
    """What a crash has left running ends when the dead one's lease has."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while any(row.state == "running" for row in _rows(database_url)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _check_stored(database_url: str, exchanges: list[_Exchange]) -> dict[str, str]:
    """Compare what is stored with what the clients have received. Returns the states of the replies."""
    rows = _rows(database_url)
    states: dict[str, str] = {}
    for user, assistant in zip(rows[::2], rows[1::2], strict=True):
        assert (user.role, assistant.role) == ("user", "assistant")
        assert user.conversation_id == assistant.conversation_id
        assert user.position % 2 == 0
        assert assistant.position == user.position + 1
        text = user.text.partition("\n")[2]
        assert assistant.state in {"completed", "interrupted"}
        assert assistant.text == text if assistant.state == "completed" else text.startswith(assistant.text)
        assert assistant.reply_id is not None
        states[assistant.reply_id] = assistant.state
    for _, of_one in itertools.groupby(rows, lambda row: row.conversation_id):
        assert all(row.position == position for position, row in enumerate(of_one))
    for exchange in exchanges:
        assert not exchange.reply_id or exchange.reply_id in states
        assert not exchange.done or states[exchange.reply_id] == "completed"
    return states


def _check_served(server: LiveServer, exchange: _Exchange) -> None:
    """Resume a reply after the crash like its client would, with the last id; then retry the message.

    It gets a new reply, unless the first one was complete.
    """
    address, seen = events_of(exchange.reply_id), len(exchange.words)
    whole = _ask(server, get(address))
    words = whole.transcript().words if whole.status == 200 else ()
    rest = _ask(server, get(address, {"Last-Event-ID": f"{exchange.reply_id}:{seen}"}))
    if rest.status == 200:
        assert (*exchange.words, *check_stream(rest.body, seen).words) == words
    elif seen:
        assert (rest.status, rest.problem_code()) == (410, "cursor-expired")
        assert len(words) < seen
    if whole.status != 200:
        assert (whole.status, whole.problem_code()) == (500, "reply-interrupted")
    again = _ask(server, request(exchange.body, {"Idempotency-Key": exchange.key}))
    transcript = again.transcript()
    assert transcript.reply.text == exchange.text
    if exchange.done:
        assert transcript == whole.transcript()
    exchange.reply_id, exchange.words, exchange.done = transcript.reply.reply_id, list(transcript.words), True


def _ask(server: LiveServer, sent: bytes) -> Answer:
    with Wire(server.port) as wire:
        wire.send(sent)
        return wire.answer()


def _kill(server: LiveServer) -> None:
    server.process.kill()


def _live_and_die(server: LiveServer, talkers: Sequence[_Talker | _Insister], seconds: float) -> None:
    """Let all clients talk for this long, then kill the server."""
    killed = threading.Event()
    with ThreadPoolExecutor(len(talkers)) as pool:
        talks = [pool.submit(talker.talk, server.port, killed) for talker in talkers]
        killed.wait(seconds)
        server.process.kill()
        server.process.wait(_PATIENCE_SECONDS)
        killed.set()
    for talk in talks:
        talk.result()


@pytest.mark.parametrize("kind", KINDS)
def test_kill_9_loses_nothing_that_was_acknowledged(kind: Kind, pytestconfig: pytest.Config) -> None:
    """At any moment. After each kill, the next server marks unfinished replies as interrupted, with a true prefix."""
    kills = max(3, pytestconfig.getoption("laws") // _EXAMPLES_A_KILL)
    moments = random.Random(kind)  # noqa: S311 - as above
    url = fresh_database_url(kind)
    talkers = [_Talker(f"{kind}-{n}") for n in range(_CLIENTS)]
    states: list[str] = []
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for life in itertools.count():
        is_last = life >= kills and ({*states} == _BOTH or time.monotonic() > deadline)
        with LiveServer(database_url=url, save_every_seconds=0.05, lease_seconds=1) as server:
            _wait_for_sealing(url)
            stored = _check_stored(url, [exchange for talker in talkers for exchange in talker.exchanges])
            states += stored.values()
            for talker in talkers:
                if talker.exchanges and talker.exchanges[-1].reply_id:
                    _check_served(server, talker.exchanges[-1])
            if is_last:
                break
            _live_and_die(server, talkers, moments.uniform(0.05, 0.5))
    acknowledged = [exchange for talker in talkers for exchange in talker.exchanges if exchange.reply_id]
    assert any(exchange.done for exchange in acknowledged)
    assert {*states} == _BOTH
    if kind == "sqlite":
        assert asyncio.run(run_sql(url, "PRAGMA integrity_check")) == [("ok",)]
    _logger.info("%d kills, %d messages, %d interrupted", kills, len(acknowledged), states.count("interrupted"))


def test_kill_9_of_one_of_two_instances_loses_nothing_that_was_acknowledged(pytestconfig: pytest.Config) -> None:
    """Nobody starts anything again: the other one ends what was left behind, and its clients go on there."""
    examples = pytestconfig.getoption("laws")
    has_many = examples >= _MANY_EXAMPLES
    clients = _MANY_CLIENTS if has_many else _CLIENTS
    kills = examples // clients if has_many else max(3, examples // _EXAMPLES_A_KILL)
    moments = random.Random(kills)  # noqa: S311 - as above
    url = fresh_database_url("postgresql")
    lease_seconds = 3 if has_many else 1  # an instance that is so busy may be late
    known: dict[str, Any] = sharing() | {
        "database_url": url,
        "save_every_seconds": 0.05,
        "lease_seconds": lease_seconds,
    }
    talkers = [_Talker(f"two-{n}") for n in range(clients)]
    states: set[str] = set()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with LiveServer(**known) as survivor:
        for life in itertools.count():
            if life >= kills and (states == _BOTH or time.monotonic() > deadline):
                break
            with LiveServer(**known) as server:
                _live_and_die(server, talkers, moments.uniform(0.05, 3 if has_many else 0.5))
            _wait_for_sealing(url)
            stored = _check_stored(url, [exchange for talker in talkers for exchange in talker.exchanges])
            states |= {*stored.values()}
            for talker in talkers:
                if talker.exchanges and talker.exchanges[-1].reply_id:
                    _check_served(survivor, talker.exchanges[-1])
            _logger.info(
                "%d replies, of which %d are interrupted", len(stored), [*stored.values()].count("interrupted")
            )
    assert states == _BOTH


@pytest.mark.parametrize("kind", KINDS)
def test_kill_9_while_a_failed_reply_is_replaced_leaves_one_or_the_other(
    kind: Kind, pytestconfig: pytest.Config
) -> None:
    """The message is stored once, with one reply that its key finds: the one that its client knows, or the next one."""
    kills = max(3, pytestconfig.getoption("laws") // _EXAMPLES_A_KILL)
    moments = random.Random(kind)  # noqa: S311 - as above
    url = fresh_database_url(kind)
    insisters = [_Insister(f"{kind}-{n}") for n in range(_CLIENTS)]
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for life in itertools.count():  # a busy machine needs more and longer ones to see as many replies
        is_seen = max(len(insister.reply_ids) for insister in insisters) > kills
        if (life >= kills and is_seen) or time.monotonic() > deadline:
            break
        seconds = moments.uniform(0.1, 0.6) * max(1, life - kills)
        with LiveServer(database_url=url, lease_seconds=_LEASE_SECONDS) as server:
            _live_and_die(server, insisters, seconds)
        rows = _rows(url)
        assert [(row.role, row.position) for row in rows] == [("user", 0), ("assistant", 1)] * (len(rows) // 2)
        keyed = asyncio.run(run_sql(url, "SELECT reply_id FROM idempotency_keys"))
        assert sorted(keyed) == sorted((row.reply_id,) for row in rows if row.reply_id)
        stored = {user.text: reply for user, reply in zip(rows[::2], rows[1::2], strict=True)}
        assert len(stored) * 2 == len(rows)
        for insister in [insister for insister in insisters if insister.reply_ids]:
            reply = stored[insister.message]
            assert reply.state in {"failed", "running", "interrupted"}  # a short life has only told who was killed
            assert reply.reply_id == insister.reply_ids[-1] or reply.reply_id not in insister.reply_ids
            assert insister.message.partition("\n")[2].startswith(reply.text)
    assert max(len(insister.reply_ids) for insister in insisters) > kills


@pytest.mark.parametrize("kind", KINDS)
def test_kill_9_while_the_service_starts_for_the_first_time_does_no_harm(
    kind: Kind, pytestconfig: pytest.Config
) -> None:
    """Whether there are no tables yet or all of them: the next start works like a first one."""
    moments = random.Random(kind)  # noqa: S311 - as above
    for _ in range(max(1, pytestconfig.getoption("laws") // _EXAMPLES_A_KILL // 5)):
        url = fresh_database_url(kind)
        server = LiveServer(database_url=url, program=FROM_SCRATCH)
        killer = threading.Timer(moments.uniform(0.6, 1.4), _kill, [server])
        killer.start()
        with contextlib.suppress(AssertionError), server:
            server.process.wait(_PATIENCE_SECONDS)
        killer.join()
        with LiveServer(database_url=url) as server:
            assert _ask(server, post("hello")).transcript().text == "hello"
