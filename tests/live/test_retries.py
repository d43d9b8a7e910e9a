"""The law of retries over real sockets, with a service that dies: one message, one conversation, one complete reply."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.addresses import BOTH, CHAT, WHOLE
from tests.support.databases import KINDS, fresh_database_url, run_sql
from tests.support.server import LiveServer
from tests.support.service import SERVICE
from tests.support.stream import check_stream
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until
from tests.support.wire import Wire, cancel, post

_PATIENCE_SECONDS = 60.0
_numbers = itertools.count(1)

State = Literal["none", "failed", "running", "good"]
Fate = Literal["ends", "fails", "is cut", "is cancelled", "dies", "is drained"]
_FATES: tuple[Fate, ...] = ("fails", "is cut", "is cancelled", "dies", "is drained")


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A request, how many words arrive meanwhile, and what happens then."""

    path: str
    words: int
    fate: Fate
    resumes: bool
    """Whether it sends the last word's id, if it knows one of a running reply."""


class _Place:
    """A service that restarts on its database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.server: LiveServer
        self._stack = ExitStack()
        self.start()

    def start(self) -> None:
        """Start or restart."""
        self._stack.close()
        settings = {"resume_window_seconds": 3600, "drain_seconds": 0.1, "first_word_seconds": 60, "lease_seconds": 1}
        server = LiveServer(program=SERVICE, database_url=self.url, **settings)  # type: ignore[arg-type]
        self.server = self._stack.enter_context(server)

    def start_after_a_crash(self) -> None:
        """Restart, and wait until the replies of the dead process are known as interrupted."""
        self.start()
        running = "SELECT reply_id FROM messages WHERE state = 'running'"
        wait_until(lambda: not asyncio.run(run_sql(self.url, running)))

    def close(self) -> None:
        """Stop for good."""
        self._stack.close()


class _Request:
    """One message, sent with one key until there is a reply."""

    def __init__(self, place: _Place, upstream: Upstream) -> None:
        self._place = place
        self._upstream = upstream
        number = next(_numbers)
        self._key = f"retry-{number}"
        self._message = upstream.message + " " * number  # a port may be reused
        self._state: State = "none"
        self._asked = 0
        self._seen: tuple[str, list[str]] | None = None

    def do(self, attempt: _Attempt) -> None:
        """Send it, and check the result."""
        with Wire(self._place.server.port) as wire:
            after = self._send(wire, attempt)
            if self._state in {"none", "failed"}:
                self._upstream.accept()
                self._asked += 1
                self._state, self._seen = "running", None
            if self._state == "running":
                self._meet(wire, attempt, after)
            else:
                assert wire.answer().status == 200
        assert self._upstream.is_alone
        self._check(0, 1)

    def insist(self) -> None:
        """Retry until there is a reply, which then stays the same, and is the only one stored."""
        self.do(_Attempt(CHAT, 2, "ends", resumes=False))
        with Wire(self._place.server.port) as wire:
            replies = []
            for path in (WHOLE, CHAT, WHOLE):
                wire.send(post(self._message, {"Idempotency-Key": self._key}, path))
                answer = wire.answer()
                replies.append(answer.json() if path == WHOLE else answer.transcript().reply.model_dump())
        assert replies == replies[:1] * 3
        assert replies[0]["state"] in {"completed", "cancelled"}
        assert all(line.startswith(f"{self._asked}-") for line in replies[0]["text"].splitlines())
        assert self._upstream.is_alone
        self._check(1, 1)

    def _send(self, wire: Wire, attempt: _Attempt) -> int:
        headers = {"Idempotency-Key": self._key}
        after = 0
        if attempt.resumes and self._seen and self._state == "running" and attempt.path == CHAT:
            after = len(self._seen[1])
            headers["Last-Event-ID"] = f"{self._seen[0]}:{after}"
        wire.send(post(self._message, headers, attempt.path))
        return after

    def _meet(self, wire: Wire, attempt: _Attempt, after: int) -> None:
        for n in range(attempt.words):
            self._upstream.say(f"{self._asked}-{n}")
        begun, reply_id = b"", ""
        if attempt.path == CHAT and attempt.words > 1:  # completes the first of them
            status, headers = wire.head()
            assert status == 200
            begun = wire.chunk()
            reply_id = headers["reply-id"]
            assert self._seen is None or self._seen[0] == reply_id
            if after == 0:
                words = [event[6:] for event in begun.decode().split("\n\n")[:1]]
                self._seen = reply_id, [words[0].partition("\ndata: \nid")[0] + "\n"]
        match attempt.fate:
            case "is cut":
                wire.reset()
            case "is cancelled" if begun:
                with Wire(self._place.server.port) as other:
                    other.send(cancel(reply_id))
                    assert other.answer().status == 204
                self._finish(wire, begun, after, {"cancelled"})
            case "dies":
                self._place.server.process.kill()
                self._place.server.process.wait(_PATIENCE_SECONDS)
                self._place.start_after_a_crash()
                self._state = "failed"
            case "is drained":
                self._place.server.terminate()
                self._end(wire, begun, after)
                self._place.server.wait(_PATIENCE_SECONDS)
                self._place.start()
            case "fails":
                self._upstream.break_off()
                self._end(wire, begun, after)
            case _:
                self._upstream.finish()
                self._finish(wire, begun, after, {"stop"})

    def _finish(self, wire: Wire, begun: bytes, after: int, reasons: set[str]) -> None:
        """Let the reply complete."""
        self._state = "good"
        if begun:
            transcript = check_stream(begun + b"".join(iter(wire.chunk, b"")), after)
            assert transcript.reply.finish_reason in reasons
            if self._seen is not None and after:
                assert "".join([*self._seen[1], *transcript.words]) == transcript.reply.text
        else:
            assert wire.answer().status == 200

    def _end(self, wire: Wire, begun: bytes, after: int) -> None:
        """Let the reply fail."""
        self._state = "failed"
        if begun:
            problem = check_stream(begun + b"".join(iter(wire.chunk, b"")), after).problem
            assert problem.retryable
        else:
            answer = wire.answer()
            assert b"event: failed" in answer.body if answer.status == 200 else answer.json()["retryable"]

    def _check(self, least: int, most: int) -> None:
        """What is stored: never more than one of each, and never a message without its reply."""
        sql = (
            "SELECT said.conversation_id, said.role, said.state FROM messages AS said JOIN messages AS first"
            " ON first.conversation_id = said.conversation_id AND first.position = 0"
            " WHERE first.text = :message ORDER BY said.position"
        )
        said = asyncio.run(run_sql(self._place.url, sql, message=self._message))
        count = len({conversation_id for conversation_id, _, _ in said})
        assert least <= count <= most
        assert [role for _, role, _ in said] == ["user", "assistant"] * count
        if least:
            assert said[1][2] in {"completed", "cancelled"}


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[_Place]:
    """One for all examples."""
    place = _Place(fresh_database_url(request.param))
    yield place
    place.close()


_ATTEMPTS = st.lists(
    st.builds(_Attempt, st.sampled_from(BOTH), st.integers(0, 3), st.sampled_from(_FATES), st.booleans()),
    min_size=1,
    max_size=4,
)


def test_whatever_becomes_of_a_request_its_retry_gets_one_reply(place: _Place, pytestconfig: pytest.Config) -> None:
    """Failed, cut, cancelled, drained or killed with its server, at any moment and in any order."""

    @settings(settings.get_profile("laws"), max_examples=max(5, pytestconfig.getoption("laws") // 10))
    @given(_ATTEMPTS)
    def law(attempts: list[_Attempt]) -> None:
        with Upstream() as upstream:
            request = _Request(place, upstream)
            for attempt in attempts:
                request.do(attempt)
            request.insist()

    law()
