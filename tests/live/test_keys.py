"""API keys come and go while the service runs; and it never opens to everybody by mistake."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.operators.keys import are_needed
from app.server.listening import bound, is_public
from tests.support.addresses import WHOLE, events_of
from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key, revoke
from tests.support.server import LiveServer
from tests.support.settings import Settings
from tests.support.wire import Wire, get, post

_ROOT = Path(__file__).parent.parent.parent
_MISSING = 'Bearer realm="chat"'
_INVALID = 'Bearer realm="chat", error="invalid_token"'
_STALLED = "/simulate stall_after=3\nhello there, my world"


def _read_words(wire: Wire) -> str:
    """The head and two words of a stalled stream. Returns the reply's URL."""
    _, headers = wire.head()
    wire.receive_until(b":2\n\n")
    return events_of(headers["reply-id"])


def _signed(url: str, seconds: float) -> dict[str, str]:
    """With a key that is valid for this long."""
    return {"Authorization": bearer(asyncio.run(made_key(url, lasts_seconds=seconds))[0])}


def _is_let_in(wire: Wire, signed: dict[str, str], seconds: float) -> bool:
    """Retry until the request is accepted, for this long."""
    until = time.monotonic() + seconds - 0.5
    while time.monotonic() < until:
        wire.send(get("/api/conversations", signed))
        if wire.answer().status == 200:
            return True
        time.sleep(0.05)
    return False


def _rest(wire: Wire) -> bytes:
    return wire.receive_until(b"0\r\n\r\n")


def test_a_key_that_is_revoked_ends_what_it_has_opened() -> None:
    """A stream ends with `failed`; without a status yet, with 401. Another key of the same name can resume it."""
    url = fresh_database_url()
    key, key_id = asyncio.run(made_key(url, "somebody"))
    successor, _ = asyncio.run(made_key(url, "somebody"))
    signed = {"Authorization": bearer(key)}
    with (
        LiveServer(database_url=url, first_word_seconds=600) as server,
        Wire(server.port) as stream,
        Wire(server.port) as whole,
        Wire(server.port) as early,
        Wire(server.port) as later,
    ):
        stream.send(post(_STALLED, signed))
        whole.send(post(_STALLED, signed, WHOLE))
        early.send(post("/simulate stall_after=0\nhello", signed))
        place = _read_words(stream)
        asyncio.run(revoke(url, key_id))
        end = _rest(stream)
        assert b"event: failed\ndata: " in end
        assert b"urn:problem:access-ended" in end
        for wire in (whole, early):
            answer = wire.answer()
            assert (answer.status, answer.problem_code()) == (401, "access-ended")
            assert answer.headers["www-authenticate"] == _INVALID
        later.send(get(place, signed))
        assert later.answer().problem_code() == "invalid-token"
        later.send(get(place, {"Authorization": bearer(successor)}))
        assert _read_words(later) == place


def test_a_key_that_expires_ends_what_it_has_opened() -> None:
    """At its time, without any action."""
    url = fresh_database_url()
    asyncio.run(made_key(url, "other"))
    with LiveServer(database_url=url) as server, Wire(server.port) as stream, Wire(server.port) as whole:
        seconds = 3
        signed = _signed(url, seconds)
        while not _is_let_in(stream, signed, seconds):  # the server must have seen it before it expires
            seconds *= 2
            signed = _signed(url, seconds)
        stream.send(post(_STALLED, signed))
        _read_words(stream)
        whole.send(post(_STALLED, signed, WHOLE))
        assert b"urn:problem:access-ended" in _rest(stream)
        assert whole.answer().problem_code() == "access-ended"
        whole.send(get("/api/conversations", signed))
        assert whole.answer().problem_code() == "invalid-token"


def test_the_first_key_locks_the_doors_and_the_last_one_leaves_them_locked() -> None:
    """Within seconds, without a restart. Earlier conversations then belong to nobody."""
    with LiveServer() as server, Wire(server.port) as wire:
        wire.send(post("hello"))
        place = events_of(wire.answer().headers["reply-id"])
        key, key_id = asyncio.run(made_key(server.database_url))
        signed = {"Authorization": bearer(key)}
        _until(wire, get("/api/conversations"), 401)
        wire.send(get(place, signed))
        assert wire.answer().problem_code() == "reply-not-found"
        wire.send(get("/api/conversations", signed))
        assert wire.answer().json() == {"conversations": []}
        asyncio.run(revoke(server.database_url, key_id))
        _until(wire, get("/api/conversations", signed), 401)
        wire.send(get("/api/conversations"))
        assert wire.answer().headers["www-authenticate"] == _MISSING


def _until(wire: Wire, raw: bytes, status: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        wire.send(raw)
        if wire.answer().status == status:
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _started(**settings: str) -> tuple[int | None, str]:
    """Start a service on all addresses. Returns its exit status, or `None` if it runs, and its output."""
    command = [sys.executable, "-m", "app", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104 - the point of the test
    with subprocess.Popen(
        command,
        cwd=_ROOT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        said = ""
        for line in process.stdout or ():
            said += line
            if "running on http" in line:
                process.kill()
                return None, said
        return process.wait(30), said


def test_a_public_address_without_credentials_is_refused() -> None:
    """With what to do instead."""
    status, said = _started(CHAT_DATABASE_URL=fresh_database_url())
    assert status == 2, said
    assert said.startswith("CHAT_HOST: this address can be reached from outside")
    assert "python -m app keys create" in said
    assert "CHAT_ALLOW_ANYONE=1" in said
    assert said.count("\n") == 1


def test_a_public_address_is_allowed_where_credentials_are_asked_for_or_everybody_is_meant() -> None:
    """Also with a revoked key: from the first key on, the service requires one."""
    url = fresh_database_url()
    assert _started(CHAT_DATABASE_URL=url, CHAT_ALLOW_ANYONE="1")[0] is None
    assert not are_needed(Settings(database_url=url))
    asyncio.run(revoke(url, asyncio.run(made_key(url))[1]))
    assert _started(CHAT_DATABASE_URL=url)[0] is None
    assert are_needed(Settings(database_url=url))
    issuer = {"jwt_issuer": "x", "jwt_audience": "x", "jwt_keys_url": "http://127.0.0.1:1/"}
    assert are_needed(Settings.model_validate(issuer))


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    {
        "127.0.0.1": True,
        "127.8.8.8": True,
        "::1": True,
        "localhost": True,
        "0.0.0.0": False,  # noqa: S104 - as above
        "::": False,
        socket.gethostbyname(socket.gethostname()): None,
    }.items(),
)
def test_only_loopback_is_known_to_be_private(host: str, is_loopback: bool | None) -> None:  # noqa: FBT001 - of a table
    """Nobody else can connect there, so trying out the service needs no setup. For a name, its addresses count."""
    sockets = bound(host, 0)
    assert is_public(sockets) is not (host.startswith("127.") if is_loopback is None else is_loopback)
    for made in sockets:
        made.close()


def test_the_log_says_why_a_key_was_refused() -> None:
    """Unknown, revoked, or of an issuer that is not set: once in a while, and nothing of the key."""
    url = fresh_database_url()
    shown, key_id = asyncio.run(made_key(url))
    asyncio.run(revoke(url, key_id))
    with LiveServer(database_url=url) as server, Wire(server.port) as wire:
        for token in (shown, "canary", "canary.canary.canary", f"{shown[:-1]}_"):
            for _ in range(3):
                wire.send(get("/api/conversations", {"Authorization": f"Bearer {token}"}))
                assert wire.answer().status == 401
        server.terminate()
        server.wait()
        told = [str(entry["event"]) for entry in server.log_entries() if "refused" in str(entry["event"])]
    assert told == [
        "an API key was refused: revoked",
        "an API key was refused: unknown",
        "a JSON Web Token was refused: no issuer is set. Next: set all CHAT_JWT_..., or send a key",
    ]
    assert "canary" not in server.log()
    assert shown not in server.log()
