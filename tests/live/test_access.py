"""API keys: who gets in, what the others are told (RFC 6750), and that this comes before anything else."""

import ast
import asyncio
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.access import keys as access
from app.contract import Contract
from generated.models import Problem
from tests.support.agui import AG_UI, rejoined_at
from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key, revoke
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, get, post, request

_MISSING = 'Bearer realm="chat"'
_INVALID = 'Bearer realm="chat", error="invalid_token"'
_ID = "0" * 32


@dataclass(frozen=True, slots=True)
class _Doors:
    """A service, and keys for it."""

    server: LiveServer
    good: str
    other: str
    expired: str
    revoked: str

    def ask(self, raw: bytes) -> Answer:
        """Send a request, and get the response, which is due before the request is complete."""
        with Wire(self.server.port) as wire:
            wire.send(raw)
            return wire.answer(to_head=raw.startswith(b"HEAD"))


@pytest.fixture(scope="module")
def doors() -> Iterator[_Doors]:
    """A service with keys. A body may take an hour to arrive, so an earlier refusal did not wait for it."""
    url = fresh_database_url()

    async def keys() -> tuple[str, ...]:
        made = [await made_key(url, name) for name in ("good", "other", "expired", "revoked")]
        expired = await made_key(url, "expired", lasts_seconds=-1)
        await revoke(url, made[3][1])
        return made[0][0], made[1][0], expired[0], made[3][0]

    shown = asyncio.run(keys())
    with LiveServer(database_url=url, request_seconds=3600) as server:
        yield _Doors(server, *shown)


def _guarded(*headers: str) -> dict[str, bytes]:
    """A request to each operation that requires credentials according to the contract."""
    requests: dict[str, bytes] = {}
    for operation in Contract.load().operations.values():
        if operation.is_guarded:
            path = operation.path.replace("{reply_id}", _ID).replace("{conversation_id}", _ID)
            if path == AG_UI and operation.method != "POST":
                path = rejoined_at("run-1")
            lines = [f"{operation.method} {path} HTTP/1.1", "Host: localhost", *headers, "Content-Length: 0", "", ""]
            requests[operation.operation_id] = "\r\n".join(lines).encode("latin-1")
    return requests


def _presented(doors: _Doors) -> dict[str, tuple[list[str], str]]:
    """What is presented instead of a valid key, and the expected challenge."""
    good, other = doors.good, doors.other
    other_secret = f"{good[:22]}{other[22:]}"
    assert len(other_secret) == len(good)
    lines = {
        "nothing": ([], _MISSING),
        "nothing in a line": ([""], _MISSING),
        "a password": (["Basic Z29vZDpnb29k"], _MISSING),
        "the key alone": ([good], _MISSING),
        "a scheme that begins alike": ([f"BearerX {good}"], _MISSING),
        "a tab for a space": ([f"Bearer\t{good}"], _MISSING),
        "an empty token": (["Bearer"], _INVALID),
        "a token of spaces": (["Bearer   "], _INVALID),
        "two tokens": ([f"Bearer {good} {good}"], _INVALID),
        "two tokens with a comma": ([f"Bearer {good}, Bearer {good}"], _INVALID),
        "quotes": ([f'Bearer "{good}"'], _INVALID),
        "a name and a value": ([f"Bearer token={good}"], _INVALID),
        "half of it": ([f"Bearer {good[:40]}"], _INVALID),
        "a character too many": ([f"Bearer {good}A"], _INVALID),
        "other letters": ([f"Bearer {good.swapcase()}"], _INVALID),
        "no ASCII": (["Bearer \xe9\xff"], _INVALID),
        "an unknown key": ([f"Bearer {access.new_key('x', None)[0]}"], _INVALID),
        "another's secret": ([f"Bearer {other_secret}"], _INVALID),
        "a wrong secret": ([f"Bearer {good[:22]}{'A' * 43}"], _INVALID),
        "a key's id": ([f"Bearer {good[5:21]}"], _INVALID),
        "what is stored of it": ([f"Bearer {access._hash(good[22:])}"], _INVALID),  # noqa: SLF001 - like a thief of the database
        "an expired key": ([f"Bearer {doors.expired}"], _INVALID),
        "a revoked key": ([f"Bearer {doors.revoked}"], _INVALID),
        "a token that nobody here trusts": (["Bearer a.b.c"], _INVALID),
        "a good key twice": ([bearer(good), bearer(good)], _INVALID),
        "a good key and a bad one": ([bearer(good), "Bearer bad"], _INVALID),
        "a good key and a password": (["Basic Z29vZDpnb29k", bearer(good)], _INVALID),
        "a good key and nothing": ([bearer(good), ""], _INVALID),
        "thirty kilobytes": ([f"Bearer {'a' * 30_000}"], _INVALID),
    }
    return {what: ([f"Authorization: {value}" for value in values], error) for what, (values, error) in lines.items()}


def test_who_presents_no_good_key_is_told_so_as_rfc_6750_has_it(doors: _Doors) -> None:
    """Whatever the operation. Without credentials there is no error code; otherwise only that the key is invalid."""
    for what, (lines, challenge) in _presented(doors).items():
        for operation, raw in _guarded(*lines).items():
            answer = doors.ask(raw)
            code = "credentials-missing" if challenge == _MISSING else "invalid-token"
            assert answer.status == 401, (what, operation)
            assert answer.headers["www-authenticate"] == challenge, (what, operation)
            assert answer.headers["cache-control"] == "no-store"
            if not raw.startswith(b"HEAD"):
                assert answer.problem_code() == code, (what, operation)
                if b" /v1/" not in raw:  # there, errors are OpenAI's
                    Problem.model_validate_json(answer.body)


def test_what_is_wrong_with_a_key_is_not_told(doors: _Doors) -> None:
    """All responses are the same, except the request id: for an unknown key, a wrong secret, an old key."""
    answers = set()
    for lines, challenge in _presented(doors).values():
        answer = doors.ask(_guarded(*lines)["listConversations"])
        same = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "date"}}
        if challenge == _INVALID:
            answers.add((answer.status, str(same), answer.body))
    assert len(answers) == 1


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
def test_a_good_key_opens_every_operation(doors: _Doors, scheme: str) -> None:
    """In any case (RFC 9110, section 11.1)."""
    for operation, raw in _guarded(f"Authorization: {scheme}{doors.good}").items():
        assert doors.ask(raw).status in {200, 204, 404, 415}, operation


def test_credentials_elsewhere_are_none(doors: _Doors) -> None:
    """Not in the URL, where logs and proxies would keep them, nor in a body or a cookie."""
    for raw in (
        get(f"/api/conversations?access_token={doors.good}"),
        get("/api/conversations", {"Cookie": f"access_token={doors.good}", "X-Api-Key": doors.good}),
        get("/api/conversations", {"Proxy-Authorization": bearer(doors.good)}),
        request(f'{{"user_message": "hello", "access_token": "{doors.good}"}}'.encode()),
    ):
        assert doors.ask(raw).headers["www-authenticate"] == _MISSING


def test_what_tells_that_the_service_is_up_is_open_to_all(doors: _Doors) -> None:
    """And so is the documentation: orchestrators and readers have no key; an invalid one does no harm."""
    for path in ("/api/health", "/api/ready", "/docs", "/openapi.yaml", "/openapi.json", "/openapi-3.1.json"):
        for headers in ({}, {"Authorization": "Bearer bad"}):
            assert doors.ask(get(path, headers)).status == 200
    assert doors.ask(get("/nothing/here")).problem_code() == "path-not-found"


_UNREAD: dict[str, bytes] = {
    "a huge body": request(b"", {"Content-Length": "99999999999"}),
    "half a body": request(b'{"user_mess', {"Content-Length": "50"}),
    "a body in chunks without end": request(b"5\r\nhello\r\n", {"Transfer-Encoding": "chunked"}).replace(
        b"Content-Length: 10\r\n", b""
    ),
    "a body that waits for leave": request(b"", {"Content-Length": "50", "Expect": "100-continue"}),
    "no JSON": request(b"{"),
    "no fields": request(b"{}"),
    "a form": request(b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}),
    "no type": request(b"{}", {"Content-Type": ""}),
    "a cursor that is none": post("hello", {"Last-Event-ID": "x"}),
    "an idempotency key that is none": post("hello", {"Idempotency-Key": "a b"}),
    "a type that is not to be had": post("hello", {"Accept": "image/png"}),
    "an id that is none": get("/api/replies/x"),
    "a page that is none": get("/api/conversations?limit=0&limit=1"),
    "a page's cursor that is none": get("/api/conversations?cursor=!"),
}


@pytest.mark.parametrize("what", _UNREAD)
def test_credentials_come_before_everything_else(doors: _Doors, what: str) -> None:
    """At once: nothing of the request but its head is read or examined."""
    answer = doors.ask(_UNREAD[what])
    assert (answer.status, answer.headers["www-authenticate"]) == (401, _MISSING)


def test_secrets_are_compared_in_constant_time() -> None:
    """By the code: exactly once, whether or not the key exists, and with a function made for it."""
    function = ast.parse(inspect.getsource(access.KeyRing.grant).strip()).body[0]
    compared = [
        ast.unparse(statement)
        for statement in getattr(function, "body", [])  # directly in the function, not below an `if`
        if "compare_digest" in ast.unparse(statement)
    ]
    assert compared == ["is_right = hmac.compare_digest(_hash(secret), key.secret_hash if key else _NOBODY)"]
    assert not [node for node in ast.walk(function) if isinstance(node, ast.Eq | ast.NotEq)]
    assert len(access._NOBODY) == len(access._hash(""))  # noqa: SLF001 - the time of a comparison depends on the length
