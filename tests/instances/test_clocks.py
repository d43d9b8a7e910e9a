"""Two instances, on machines whose clocks are five minutes apart."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.addresses import conversation_at, events_of, reply_at
from tests.support.ahead import AHEAD
from tests.support.databases import fresh_database_url, run_sql
from tests.support.server import LiveServer
from tests.support.valkey import sharing
from tests.support.waiting import wait_until
from tests.support.wire import Answer, Wire, cancel, get, post, request

_LEASE_SECONDS = 2
_TEXT = " ".join(f"word{n}" for n in range(30))
_STALLS = f"/simulate stall_after=3\n{_TEXT}"


@pytest.fixture(params=["PostgreSQL alone", "Valkey"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[LiveServer, LiveServer]]:
    """The first one's clock is ahead of the second one's."""
    known: dict[str, Any] = {"database_url": fresh_database_url("postgresql"), "lease_seconds": _LEASE_SECONDS}
    known |= {"save_every_seconds": 0.1, "first_word_seconds": 0.05, "words_per_day": 200}
    known |= sharing() | {"requests_per_minute": 1000} if request.param == "Valkey" else {}
    with LiveServer(program=AHEAD, **known) as ahead, LiveServer(**known) as behind:
        yield ahead, behind


def _asked(server: LiveServer, sent: bytes) -> Answer:
    with Wire(server.port) as wire:
        wire.send(sent)
        return wire.answer()


def _begun(stack: ExitStack, server: LiveServer) -> tuple[Wire, str]:
    """A reply that stalls, after a word of it."""
    wire = stack.enter_context(Wire(server.port))
    wire.send(post(_STALLS))
    _, headers = wire.head()
    wire.receive_until(b"data: word0 ")
    return wire, headers["reply-id"]


def _state(server: LiveServer, reply_id: str) -> str:
    return str(_asked(server, get(reply_at(reply_id))).json()["state"])


@pytest.mark.parametrize("is_ahead", [True, False], ids=["the one ahead dies", "the one behind dies"])
def test_neither_takes_the_other_for_dead_but_when_it_is(
    pair: tuple[LiveServer, LiveServer], *, is_ahead: bool
) -> None:
    """Leases are good by the database's clock. The one that is left ends what the other one has left behind."""
    with ExitStack() as stack:
        replies = [(*_begun(stack, server), server, other) for server, other in (pair, pair[::-1])]
        time.sleep(3 * _LEASE_SECONDS)
        for wire, reply_id, server, other in replies:
            assert {_state(server, reply_id), _state(other, reply_id)} == {"running"}
            assert _asked(other, cancel(reply_id)).status == 204
            assert b'"finish_reason":"cancelled"' in wire.receive_until(b"0\r\n\r\n")
        dead, left = pair if is_ahead else pair[::-1]
        _, reply_id = _begun(stack, dead)
        dead.process.kill()
        wait_until(lambda: _state(left, reply_id) == "interrupted")
        assert "taken for dead" not in left.log()


def _counted(server: LiveServer) -> int:
    """The words of the only client."""
    rows = asyncio.run(run_sql(server.database_url, "SELECT words FROM word_budgets"))
    return sum(words for (words,) in rows)


def test_what_one_has_the_other_goes_on_with(pair: tuple[LiveServer, LiveServer]) -> None:
    """A key, a conversation, and what is left of the words of a day."""
    for server, other in (pair, pair[::-1]):
        key = {"Idempotency-Key": f"key-{server.port}"}
        first = _asked(server, post(_TEXT, key))
        again = _asked(other, post(_TEXT, key))
        assert again.headers["reply-id"] == first.headers["reply-id"]
        assert again.transcript().words == first.transcript().words
        reply_id, conversation_id = first.headers["reply-id"], first.headers["conversation-id"]
        rest = _asked(other, get(events_of(reply_id), {"Last-Event-ID": f"{reply_id}:29"}))
        assert b"data: word29\n" in rest.body
        more = f'{{"user_message": "more", "conversation_id": "{conversation_id}"}}'.encode()
        assert _asked(other, request(more)).transcript().text == "more"
        said = _asked(server, get(conversation_at(conversation_id))).json()["messages"]
        assert [message["text"] for message in said] == [_TEXT, _TEXT, "more", "more"]
    wait_until(lambda: _counted(pair[0]) == 2 * (30 + 1))
    for n in range(5):
        assert _asked(pair[n % 2], post(_TEXT)).status == 200
        wait_until(lambda: _counted(pair[0]) == 2 * (30 + 1) + (n + 1) * 30)  # noqa: B023 - called here
    for server in pair:  # 200 words are a day's; an instance learns what others have counted when it counts itself
        wait_until(lambda: _asked(server, post("more")).status == 429)  # noqa: B023 - as above
        assert 0 < int(_asked(server, post("more")).headers["retry-after"]) <= 24 * 3600 + 300
