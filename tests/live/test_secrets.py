"""Texts and secrets stay out of every log at its most verbose level; credentials stay out of the database."""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.chat.errors import Misconfigured
from app.main import create_app
from app.settings import Settings
from app.start_errors import lines
from tests.support.addresses import CHAT, WHOLE
from tests.support.completions import answer, chunk, event, speaks, stream
from tests.support.databases import Postgres, fresh_database_url, sqlite_file
from tests.support.engine import CLOSE, RESET, FakeEngine, engine_beside
from tests.support.issuer import AUDIENCE, NAME, Issuer, ec_key, good_claims, rsa_key
from tests.support.issuer import answer as page
from tests.support.keys import bearer, made_key, revoke
from tests.support.server import LiveServer
from tests.support.strangers import WAYS, Ids
from tests.support.wire import Interrupted, Wire, get, post, request

_ROOT = Path(__file__).parent.parent.parent
_SUBJECT = "canary-subject-4711"


@dataclass(frozen=True, slots=True)
class _Canaries:
    """What must not be in any log. Only the first one is stored in plain text."""

    message: str = "canary-message-4711"
    idempotency_key: str = "canary-idempotency-4711"
    bad_key: str = "canary-bad-key-4711"
    password: str = "Y2FuYXJ5OnBhc3N3b3JkLTQ3MTE="  # noqa: S105 - an example
    query: str = "canary-query-4711"
    cookie: str = "canary-cookie-4711"
    subject: str = _SUBJECT
    key: str = ""
    revoked: str = ""
    token: str = ""

    def all(self) -> dict[str, str]:
        """By name. Of composite values, only the secret part."""
        whole = {part.name: getattr(self, part.name) for part in fields(self)}
        return whole | {name: whole[name].split("_", 2)[2] for name in ("key", "revoked")}


def _asked(server: LiveServer, raw: bytes) -> tuple[int, bytes]:
    """The status and body of the response; 0 and empty if there is none."""
    with Wire(server.port) as wire:
        wire.send(raw)
        try:
            got = wire.answer(to_head=raw.startswith(b"HEAD"))
        except Interrupted:
            return 0, b""
        return got.status, got.body


def _good_and_bad(canaries: _Canaries, ids: Ids) -> Iterator[bytes]:
    """Requests that cover every path through the service."""
    said, keyed = canaries.message, {"Idempotency-Key": canaries.idempotency_key}
    quoted = said.encode()
    for signed in ({"Authorization": bearer(canaries.key)}, {"Authorization": bearer(canaries.token)}):
        for accept, path in (("*/*", CHAT), ("*/*", WHOLE), ("image/png", CHAT)):
            head = signed | {"Accept": accept, "Cookie": canaries.cookie}
            for text, more in (
                (said, keyed),
                (said, keyed),
                (f"{said} differs", keyed),
                (f"/simulate fail_after=1\n{said} {said}", {}),
                (f"/simulate status=503\n{said}", {}),
                (f"/simulate {said}\n{said}", {}),
                (f"/simulate nonsense={said}", {}),
                (said, {"Last-Event-ID": said}),
                (said, {"Idempotency-Key": f"{said} {said}"}),
                (said * 30_000, {}),
            ):
                yield post(text, head | more, path)
        yield request(b'{"user_message": "%b' % quoted, signed)
        yield request(b'{"user_message": 1, "%b": "%b"}' % (quoted, quoted), signed)
        yield request(b'{"user_message": "%b\\u0000"}' % quoted, signed)
        yield request(b'{"user_message": "%b", "conversation_id": "%b"}' % (quoted, quoted), signed)
        yield request(b'{"user_message": "%b\xff"}' % quoted, signed)
        yield request(b"user_message=%b" % quoted, signed | {"Content-Type": f"text/{said}"})
        yield get(f"/api/conversations?cursor={canaries.query}&access_token={canaries.query}", signed)
        yield get(f"/api/health?{canaries.query}={canaries.query}", signed | {"Referer": f"http://x/?{canaries.query}"})
        for way in WAYS.values():
            raw = way(ids, 1)
            head = signed | dict(raw.headers) | ({} if raw.method == "GET" else {"Content-Length": "0"})
            yield get(raw.path, head).replace(b"GET", raw.method.encode(), 1)
    for bad in (
        bearer(canaries.bad_key),
        bearer(canaries.revoked),
        bearer(f"{canaries.key}x"),
        bearer(f"{canaries.token}x"),
        bearer(f"{canaries.token}.{canaries.token}"),
        bearer(ec_key().token(good_claims(canaries.subject))),
        f"Basic {canaries.password}",
        canaries.key,
    ):
        yield post(said, {"Authorization": bad})
    yield f"{said}\r\n\r\n".encode()
    yield f"GET /{said} HTTP/9.9\r\n{said}\r\n\r\n".encode()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_path_through_the_service_leaves_a_trace_of_what_was_said_or_shown(log_format: str) -> None:
    """Checks every byte of the process's output and of its database."""
    url = fresh_database_url("sqlite")
    key, _ = asyncio.run(made_key(url, "somebody"))
    revoked, revoked_id = asyncio.run(made_key(url, "somebody"))
    asyncio.run(revoke(url, revoked_id))
    with Issuer(rsa_key()) as issuer:
        token = rsa_key().token(good_claims(_SUBJECT))
        canaries = _Canaries(key=key, revoked=revoked, token=token)
        with LiveServer(
            database_url=url,
            log_level="debug",
            log_format=log_format,
            resume_window_seconds=0,
            save_every_seconds=0.05,
            jwt_issuer=NAME,
            jwt_audience=AUDIENCE,
            jwt_keys_url=issuer.url,
        ) as server:
            with Wire(server.port) as wire:
                wire.send(post(f"/simulate stall_after=2\n{canaries.message} x y", {"Authorization": bearer(key)}))
                _, headers = wire.head()
                wire.receive_until(canaries.message.encode())
            ids = Ids(headers["reply-id"], headers["conversation-id"])
            statuses = {_asked(server, raw)[0] for raw in _good_and_bad(canaries, ids)}
            assert statuses >= {200, 204, 400, 401, 404, 406, 409, 413, 415, 422, 502, 503}
            assert 500 not in statuses
            issuer.handler = page(canaries.message.encode(), 500)
            _asked(server, post("hello", {"Authorization": bearer(ec_key().token())}))
            server.terminate()
            server.wait()
    log = server.log()
    assert log.count("request_id") > 100
    for name, canary in canaries.all().items():
        assert canary not in log, name
    stored = _stored(url)
    assert canaries.message in stored
    for name, canary in canaries.all().items():
        assert name == "message" or canary not in stored, name


def _stored(url: str) -> str:
    """All rows, and the remaining bytes of the files."""
    file = sqlite_file(url)
    connection = sqlite3.connect(file)
    rows = "\n".join(connection.iterdump())
    connection.close()
    return rows + "".join(part.read_bytes().decode("latin-1") for part in file.parent.glob(f"{file.name}*"))


def test_nothing_of_what_an_engine_says_is_logged() -> None:
    """Neither its reply nor its errors; nor what it is sent. In JSON, another test tries each of its faults."""
    canaries = [f"canary-{name}-4711" for name in ("reply", "excuse", "header", "key", "prompt", "message")]
    reply, excuse, header, key, prompt, message = canaries
    error = {"error": {"message": excuse, "type": excuse}}
    scripts = [
        speaks(reply, reply),
        stream(chunk(reply), event(error)),
        answer(500, error, {"X-Trace": excuse}),
        answer(401, excuse.encode()),
        answer(200, f"<html>{excuse}".encode(), {"Content-Type": "text/html"}),
        stream(chunk(reply), b"data: {" + excuse.encode() + b"\n\n"),
        stream(chunk(reply), CLOSE),
        stream(chunk(reply), RESET),
    ]
    engine = FakeEngine(*scripts)
    with (
        engine_beside(engine),
        LiveServer(
            "openai",
            log_level="debug",
            log_format="console",
            openai_base_url=engine.url,
            openai_model="m",
            openai_api_key=key,
            openai_headers=f'{{"X-Secret": "{header}"}}',
            system_prompt=prompt,
        ) as server,
    ):
        for _ in scripts:
            _asked(server, post(message))
        assert len(engine.exchanges) >= len(scripts)
        server.terminate()
        server.wait()
    assert server.log().count("request_id") == 2 * len(scripts)  # of a request, and of the end of its reply
    for canary in canaries:
        assert canary not in server.log()


def _output(*arguments: str, **settings: str) -> str:
    """The output of one of our programs until it ends; it is stopped when it has started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        cwd=_ROOT,
        env=os.environ | {"CHAT_LOG_LEVEL": "debug", "CHAT_STORAGE_SECONDS": "2"} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    with process:
        printed = ""
        for line in process.stdout or ():
            printed += line
            if "running on http" in line:
                process.send_signal(signal.SIGTERM)
        process.wait(30)
    return printed


def test_the_databases_password_is_told_to_nobody() -> None:
    """Neither if nobody answers at that address, nor if it has a typo."""
    canary = "canary-4711"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for address, log_format in (
        (f"postgresql://somebody:{canary}@127.0.0.1:{port}/chat?sslmode={canary}", "console"),
        (f"postgresql://somebody:half@of:{canary}@127.0.0.1:{port}/chat", "json"),
    ):
        printed = _output("--port", "0", CHAT_DATABASE_URL=address, CHAT_LOG_FORMAT=log_format)
        assert printed
        assert canary not in printed
    for address in (f"postgresql://somebody@127.0.0.1:{canary}/chat", f"mysql://somebody:{canary}@127.0.0.1/chat"):
        with pytest.raises((ValidationError, Misconfigured)) as refused:
            create_app(Settings(database_url=address))
        assert canary not in "".join(lines(refused.value))
        assert canary not in str(refused.value)


def test_a_database_that_goes_away_is_logged_without_what_it_was_given() -> None:
    """Its messages repeat statements and values. The URL contains the password all the while."""
    canary, password = "canary-message-4711", "canary-password-4711"
    with Postgres() as postgres:
        url = postgres.database_url().replace("postgres:@", f"postgres:{password}@")
        assert password in url
        with LiveServer(
            database_url=url,
            log_level="debug",
            log_format="console",
            storage_seconds=1,
            save_every_seconds=0.05,
            drain_seconds=0,
        ) as server:
            assert _asked(server, post(canary))[0] == 200
            with Wire(server.port) as wire:
                wire.send(post(f"/simulate stall_after=2\n{canary} x y"))
                wire.receive_until(canary.encode())
                postgres.stop()
                assert _asked(server, post(canary, {"Idempotency-Key": canary}))[0] == 503
                assert _asked(server, get("/api/conversations"))[0] == 503
            server.terminate()
            server.wait(30)
    assert "request_id" in server.log()
    assert canary not in server.log()
    assert password not in server.log()
