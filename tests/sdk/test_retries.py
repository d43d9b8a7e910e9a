"""Clients that reconnect by themselves get one reply, once."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.clients import CAREFUL_FETCH_EVENT_SOURCE, FETCH_EVENT_SOURCE, HEY_API, Client, Heard, ask
from tests.support.cutting import Cut
from tests.support.server import LiveServer
from tests.support.wire import Wire, get

_WORDS = ["Hallo, ", "世", "界! ", "👩‍👩‍👧 ", "sagt:\n", "eins  ", "zwei\n\n", "drei, ", "null42 ", "(vier) ", "…"]
"""Without what hey-api changes: data that is JSON, and white space at the start of a line."""
_TEXT = "".join(_WORDS)
_MESSAGE = f"/simulate pace_ms=10\n{_TEXT}"

_END = 10_000
"""More bytes than an event has."""
_DONE = len(_WORDS) + 1
"""The number of the event in a whole stream."""

_BEFORE_THE_FIRST_WORD = [Cut(0, 60), Cut(0, 0)]
_ANYWHERE = {
    "in a word": [Cut(3, 7), Cut(2, 8)],
    "in an id": [Cut(3, -20), Cut(2, -2)],
    "behind a word": [Cut(1, _END), Cut(4, _END)],
    "in done": [Cut(_DONE, 30), Cut(1, -1)],
    "behind done": [Cut(_DONE, _END), Cut(1, _END)],
}
_CLIENTS = {"hey-api": HEY_API, "fetch-event-source": FETCH_EVENT_SOURCE, "careful": CAREFUL_FETCH_EVENT_SOURCE}

_SAME = "wörter\n"
_SAME_EVENT = f"data: wörter\ndata: \nid: {'0' * 32}:10\n\n".encode()
_EACH_BYTE = [Cut(2, -byte) for byte in range(1, len(_SAME_EVENT) + 1)]
"""One connection for each byte of a word's event, last byte first."""

_all_clients = pytest.mark.parametrize("client", _CLIENTS.values(), ids=_CLIENTS)


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One server for all tests."""
    with LiveServer() as server:
        yield server


@pytest.mark.parametrize("with_key", [True, False], ids=["key", "no-key"])
@pytest.mark.parametrize("cuts", _ANYWHERE.values(), ids=_ANYWHERE)
@_all_clients
async def test_a_client_that_is_cut_off_twice_gets_one_reply_once(
    programs: Path, server: LiveServer, client: Client, cuts: Sequence[Cut], *, with_key: bool
) -> None:
    """It resumes with the last word's id, with and without a key."""
    key = secrets.token_hex() if with_key else None
    before = _conversations(server)
    heard = await ask(replace(client, key=key), programs, server.port, _MESSAGE, cuts)
    reply = _the_new_reply(server, before)
    _check_words(heard, reply)
    assert [request.get("idempotency-key") for request in heard.requests] == [key] * 3
    assert [request.get("last-event-id") or None for request in heard.requests] == [
        None,
        *(f"{reply['reply_id']}:{words}" for words in heard.words_at_cuts),
    ]


@_all_clients
async def test_with_a_key_even_a_client_that_has_heard_nothing_gets_one_reply(
    programs: Path, server: LiveServer, client: Client
) -> None:
    """Only the key can identify the message then."""
    before = _conversations(server)
    client = replace(client, key=secrets.token_hex())
    heard = await ask(client, programs, server.port, _MESSAGE, _BEFORE_THE_FIRST_WORD)
    _check_words(heard, _the_new_reply(server, before))
    assert [request.get("last-event-id") or None for request in heard.requests] == [None] * 3


@_all_clients
async def test_a_client_may_take_its_own_time_to_ask_again(programs: Path, server: LiveServer, client: Client) -> None:
    """The reply is still there: hey-api waits for three seconds, fetch-event-source for one."""
    before = _conversations(server)
    heard = await ask(replace(client, retry_ms=None), programs, server.port, _MESSAGE, [Cut(4, _END)])
    _check_words(heard, _the_new_reply(server, before))
    assert len(heard.requests) == 2


@_all_clients
async def test_a_cut_behind_any_byte_of_a_word_loses_nothing_but_in_one_place(
    programs: Path, server: LiveServer, client: Client
) -> None:
    """fetch-event-source records an id before the empty line, and misses the word if it is cut off between them.

    The ids show the gap, and `done` has the word. To be exact there, too, a client has to check.
    """
    before = _conversations(server)
    words = len(_EACH_BYTE) + 20
    text = _SAME * words
    heard = await ask(client, programs, server.port, text, _EACH_BYTE)
    reply = _the_new_reply(server, before, text, text)
    lost = {2} if client is FETCH_EVENT_SOURCE else set()
    assert heard.numbers == [number for number in range(1, words + 1) if number not in lost]
    assert heard.words == [_SAME] * len(heard.numbers)
    assert [(end["reply_id"], end["text"]) for end in heard.ends] == [(reply["reply_id"], text)]
    assert len(heard.requests) == len(_EACH_BYTE) + 1


def _check_words(heard: Heard, reply: dict[str, Any]) -> None:
    """Each word once, in order; and every end received is the end of that reply."""
    assert heard.words == _WORDS
    assert heard.numbers == list(range(1, len(_WORDS) + 1))
    assert {(end["reply_id"], end["text"]) for end in heard.ends} == {(reply["reply_id"], _TEXT)}


def _conversations(server: LiveServer) -> set[str]:
    page = _json(server, "/api/conversations?limit=100")
    assert "next_cursor" not in page
    return {conversation["conversation_id"] for conversation in page["conversations"]}


def _the_new_reply(server: LiveServer, before: set[str], message: str = _MESSAGE, text: str = _TEXT) -> dict[str, Any]:
    """The only reply, which is complete, in the only new conversation."""
    (conversation_id,) = _conversations(server) - before
    user, reply = _json(server, f"/api/conversations/{conversation_id}")["messages"]
    assert user["text"] == message
    assert (reply["state"], reply["text"]) == ("completed", text)
    return dict(reply)


def _json(server: LiveServer, path: str) -> dict[str, Any]:
    with Wire(server.port) as wire:
        wire.send(get(path))
        answer = wire.answer()
    assert answer.status == 200, answer.body
    return dict(answer.json())
