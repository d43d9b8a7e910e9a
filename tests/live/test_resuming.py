"""Law 3 over real sockets: cut a stream after any byte, any number of times, and resume: nothing is lost or doubled."""

import asyncio
import itertools
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated.models import Reply
from tests.support.addresses import WHOLE, events_of, reply_at
from tests.support.databases import fresh_database_url, run_sql
from tests.support.resuming import WAYS, CutOff, Resumer, Way, connect
from tests.support.server import LiveServer
from tests.support.service import SERVICE
from tests.support.stream import Transcript, check_stream
from tests.support.texts import normalised, texts
from tests.support.upstream import Upstream
from tests.support.wire import Answer, Wire, cancel, get, post

_logger = logging.getLogger(__name__)

_EXAMPLES_A_CUT = 20
"""The option `--laws` counts in-process examples; over sockets, there is at least one cut for this many."""
_EXAMPLES_A_REPLY = 40
"""The average number of cuts per reply is above two."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where a connection is cut, and how to resume."""

    off: CutOff
    waits: bool
    """Whether the client resumes only after the reply has ended; otherwise at once."""
    way: Way


@dataclass(frozen=True, slots=True)
class _Said:
    """The simulator's text, and its pace."""

    text: str
    pace_ms: int
    chunk: int
    fails: bool

    @property
    def message(self) -> str:
        """The message for that."""
        failing = " fail_after=1000000" if self.fails else ""
        return f"/simulate pace_ms={self.pace_ms} chunk={self.chunk}{failing}\n{self.text}"


_SAYINGS = st.builds(
    _Said,
    st.lists(texts, min_size=2, max_size=4)
    .map(lambda parts: " ".join(parts)[:200])
    .filter(lambda text: bool(normalised(text))),
    pace_ms=st.sampled_from([0, 0, 1, 2]),
    chunk=st.integers(1, 12),
    fails=st.booleans(),
)
_CUT = st.builds(
    _Cut,
    off=st.builds(CutOff, st.just(0) | st.integers(1, 500) | st.integers(1, 1500), resets=st.booleans()),
    waits=st.booleans(),
    way=st.sampled_from(WAYS),
)
_READERS = st.lists(st.lists(_CUT, min_size=1, max_size=6), min_size=1, max_size=4)


@pytest.fixture(scope="module", params=[60, 0], ids=["from memory", "from the store"])
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """One server for all tests; ended replies are read again from memory, or directly from the store."""
    with LiveServer(
        database_url=fresh_database_url(),
        retention_seconds=request.param,
        resume_window_seconds=3600,
        first_word_seconds=0.2,
    ) as server:
        yield server


@pytest.fixture(scope="module")
def obedient() -> Iterator[LiveServer]:
    """A server whose bot is controlled by the test. The status line waits for the first word."""
    with LiveServer(program=SERVICE, resume_window_seconds=3600, first_word_seconds=60) as server:
        yield server


def test_a_stream_that_is_cut_anywhere_is_whole_when_it_is_resumed(
    server: LiveServer, pytestconfig: pytest.Config
) -> None:
    """By one reader or several, while the reply runs or afterwards: all get its words, once, and its end."""
    laws: int = pytestconfig.getoption("laws")
    before = _count_replies(server)
    replies = 0
    connections: list[bool] = []

    @settings(settings.get_profile("laws"), max_examples=max(40, laws // _EXAMPLES_A_REPLY))
    @given(_SAYINGS, _READERS)
    def law(said: _Said, readers: list[list[_Cut]]) -> None:
        nonlocal replies
        replies += 1
        if said.fails:
            del readers[1:]  # a later request with the key would start a new reply
        resumers = [Resumer(f"law-{before + replies}", fails=said.fails) for _ in readers]
        with ThreadPoolExecutor(len(readers)) as pool:
            for reading in pool.map(lambda resumer, cuts: _read(server, said, resumer, cuts), resumers, readers):
                connections.extend(reading)
        for resumer in resumers:
            assert "".join(resumer.words) == normalised(said.text)
            assert resumer.words == resumers[0].words
            assert resumer.end == resumers[0].end
        assert isinstance(resumers[0].end, Reply) is not said.fails
        if isinstance(resumers[0].end, Reply):
            assert resumers[0].end.text == normalised(said.text)

    law()
    assert _count_replies(server) == before + replies
    assert sum(connections) >= laws // _EXAMPLES_A_CUT
    _logger.info("%d of %d connections cut, %d replies", sum(connections), len(connections), replies)


def test_cuts_while_the_bot_is_speaking(obedient: LiveServer) -> None:
    """After each word of a reply that cannot end, because the test has not ended it."""
    before = _count_replies(obedient)
    resumer = Resumer("speaking")
    ways = itertools.cycle(WAYS)
    with Upstream() as upstream, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(connect, obedient.port, upstream.message, resumer, "key", CutOff(words=1))
        upstream.accept()
        upstream.say("word1")
        for n in range(2, 11):
            upstream.say(f"word{n}")  # completes the word before
            reading.result()
            cut = CutOff(words=n, resets=n % 2 == 0)
            reading = pool.submit(connect, obedient.port, upstream.message, resumer, next(ways), cut)
        upstream.finish()
        reading.result()
        if resumer.end is None:  # it may have arrived with the last word
            connect(obedient.port, upstream.message, resumer, "get")
    assert isinstance(resumer.end, Reply)
    assert resumer.words == [f"word{n}\n" for n in range(1, 11)]
    assert _count_replies(obedient) == before + 1


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
def test_a_client_that_is_cut_off_before_it_reads_the_head_gets_its_reply_by_its_key(
    obedient: LiveServer, *, resets: bool
) -> None:
    """Any number of times, without knowing any id. The reply is generated once."""
    before = _count_replies(obedient)
    key = {"Idempotency-Key": f"headless-{resets}"}
    with Upstream() as upstream:
        for times in range(3):
            with Wire(obedient.port) as wire:
                wire.send(post(upstream.message, key))
                if times == 0:
                    upstream.accept()
                if resets:
                    wire.reset()
        with Wire(obedient.port) as wire:
            wire.send(post(upstream.message, key))
            upstream.say("one")
            upstream.say("two")
            upstream.finish()
            assert wire.answer().transcript().words == ("one\n", "two\n")
    assert _count_replies(obedient) == before + 1


@pytest.mark.parametrize("clients", [2, 8])
def test_one_key_from_several_connections_at_once_gives_one_reply(server: LiveServer, clients: int) -> None:
    """Whichever comes first, all read the same reply."""
    before = _count_replies(server)
    for n in range(10):
        sent = post("/simulate pace_ms=1\none two three", {"Idempotency-Key": f"at-once-{clients}-{n}"})
        transcripts = _at_once(server, [sent] * clients)
        assert transcripts == transcripts[:1] * clients
        assert transcripts[0].words == ("one ", "two ", "three")
    assert _count_replies(server) == before + 10


def test_cancelling_ends_the_stream_of_every_reader(server: LiveServer) -> None:
    """In whatever way and up to whatever word each of them read it: with `done` and `cancelled`."""
    message = "/simulate stall_after=3\none two three four"
    key = {"Idempotency-Key": "cancelled"}
    with ExitStack() as exits:
        first = exits.enter_context(Wire(server.port))
        first.send(post(message, key))
        status, headers = first.head()
        assert status == 200
        reply_id = headers["reply-id"]
        address = events_of(reply_id)
        readers = [(first, 0)]
        for after, sent in [
            (0, post(message, key)),
            (0, get(address)),
            (1, get(address, {"Last-Event-ID": f"{reply_id}:1"})),
            (2, post(message, {"Last-Event-ID": f"{reply_id}:2"})),
        ]:
            wire = exits.enter_context(Wire(server.port))
            wire.send(sent)
            assert wire.head()[0] == 200
            readers.append((wire, after))
        assert _ask(server, cancel(reply_id)).status == 204
        transcripts = [check_stream(b"".join(iter(wire.chunk, b"")), after) for wire, after in readers]
    for (_, after), transcript in zip(readers, transcripts, strict=True):
        assert transcript.words == ("one ", "two ", "three ")[after:]
        assert transcript.reply.finish_reason == "cancelled"
        assert transcript.end == transcripts[0].end
    assert _ask(server, get(address)).transcript() == transcripts[0]
    assert _ask(server, get(reply_at(reply_id))).json()["finish_reason"] == "cancelled"


def _read(server: LiveServer, said: _Said, resumer: Resumer, cuts: list[_Cut]) -> list[bool]:
    """Read a reply to its end, with these cuts. Returns for each connection whether it was cut before the end."""
    way: Way = "key"
    connections: list[bool] = []
    for cut in cuts:
        connect(server.port, said.message, resumer, way, cut.off)
        connections.append(resumer.end is None)
        if resumer.end is not None:
            return connections
        if cut.waits and not said.fails:
            _ask(server, post(said.message, {"Idempotency-Key": resumer.key}, WHOLE))
        elif cut.waits and resumer.reply_id is not None:
            _ask(server, get(events_of(resumer.reply_id)))
        way = cut.way
    connect(server.port, said.message, resumer, way)
    assert resumer.end is not None
    return [*connections, False]


def _at_once(server: LiveServer, requests: list[bytes]) -> list[Transcript]:
    """The responses to concurrent requests, each on its own connection; sent when all are connected."""
    all_are_connected = threading.Barrier(len(requests))

    def ask(sent: bytes) -> Transcript:
        with Wire(server.port) as wire:
            all_are_connected.wait()
            wire.send(sent)
            return wire.answer().transcript()

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(ask, requests))


def _ask(server: LiveServer, sent: bytes) -> Answer:
    with Wire(server.port) as wire:
        wire.send(sent)
        return wire.answer()


def _count_replies(server: LiveServer) -> int:
    sql = "SELECT count(*) FROM messages WHERE role = 'assistant'"
    return int(asyncio.run(run_sql(server.database_url, sql))[0][0])
