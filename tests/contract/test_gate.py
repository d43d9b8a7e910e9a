"""Access is decided before anything else of a request is examined; the responses are as documented."""

import re
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.main import create_app
from tests.contract.asking import CANARY, NOBODY, Request, body, chat, completion_body
from tests.contract.document import (
    DOCUMENT,
    HEADS,
    OPERATIONS,
    PROBLEM_TYPE,
    check_error,
    check_problem,
    check_response,
)
from tests.contract.refusals import GUARDED, OPEN, asked_of
from tests.support.asgi import Client, Whole
from tests.support.keys import bearer, made_key
from tests.support.settings import Settings

ELSEWHERE = {
    "an unknown path": Request("GET", f"/{CANARY}"),
    "an unknown method": Request("PUT", "/api/chat"),
    "the document": Request("GET", "/openapi.yaml"),
    "a page": Request("GET", "/docs"),
}
METRICS = {"getMetrics", "headMetrics"}
HOSTS = ["chat.example", "*.example.org"]
SERVED = ["chat.example", "CHAT.Example", "chat.example:8000", "a.example.org", "a.b.example.org:1", "a_b.example.org"]
NOT_SERVED = [
    "",
    CANARY,
    "chat.example.evil",
    "evil-chat.example",
    "chat.example@evil",
    "chat.example:",
    "chatXexample",
    "example.org",
    "evilexample.org",
    ".example.org",
    "a b.example.org",
    "chat.example\n",
]


class Unread:
    """Ensures that a request's body is not read."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` is the whole service."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Fail if the body is read."""

        async def refuse() -> Message:
            raise AssertionError("the body is read before it is known who asks")

        await self._app(scope, receive if scope["type"] == "lifespan" else refuse, send)


async def ask(client: Client, asked: Request) -> Whole:
    """Send a request."""
    return await client.request(asked.method, asked.path, content=asked.content.encode(), headers=asked.headers)


async def locked_settings() -> tuple[Settings, str]:
    """A database with a key, and the key."""
    settings = Settings(bot="simulator")
    key, _ = await made_key(settings.database_url)
    return settings, key


def test_the_document_guards_all_but_health() -> None:
    """Operations are guarded by default: a new one is guarded unless it says otherwise."""
    assert DOCUMENT["security"] == [{}, {"apiKey": []}, {"token": []}]
    said = {name: operation.get("security") for name, operation in OPERATIONS.items()}
    open_to_all = ("getHealth", "headHealth", "getReadiness", "headReadiness")
    assert said.pop("getMetrics") == said.pop("headMetrics") == [*DOCUMENT["security"], {"metricsKey": []}]
    assert said == dict.fromkeys(GUARDED.keys() - METRICS) | {name: [] for name in open_to_all}


@pytest.mark.parametrize(
    "asked",
    [
        body("{"),
        body("{}"),
        body("a=b", "application/x-www-form-urlencoded"),
        chat("hello", accept="text/html"),
        chat("hello", Last_Event_ID=CANARY),
        chat("hello", NOBODY, Idempotency_Key="a b"),
        chat("hello").plus(content_length="1000000000"),
        Request("GET", "/api/conversations?limit=0"),
        Request("GET", f"/api/conversations?{CANARY}"),
        Request("GET", f"/api/replies/{CANARY}"),
        Request("GET", f"/api/replies/{CANARY}/events?lastEventId={CANARY}"),
        chat("hello", accept="text/event-stream").finished(),
        completion_body("{"),
    ],
    ids=lambda asked: f"{asked.method} {asked.path} {asked.content} {dict(asked.headers)}",
)
async def test_who_asks_is_settled_before_what_is_asked(asked: Request) -> None:
    """Without a key, nobody learns what is wrong with a request; not even its body is read."""
    settings, _ = await locked_settings()
    async with Client(Unread(create_app(settings))) as client:
        for authorization, code in (("", "credentials-missing"), (f"Bearer {CANARY}", "invalid-token")):
            answer = await ask(client, asked.plus(authorization=authorization))
            assert check_error(answer, asked.path) == f"urn:problem:{code}"
            assert CANARY not in repr(answer)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "credentials-missing"),
        ("", "credentials-missing"),
        ("Basic {key}", "credentials-missing"),
        ("{key}", "credentials-missing"),
        ("Bearer", "invalid-token"),
        ("Bearer {key}x", "invalid-token"),
        ("Bearer {key} {key}", "invalid-token"),
        ("Bearer\t{key}", "credentials-missing"),
        ("Bearer {KEY}", "invalid-token"),
        ("Bearer ü", "invalid-token"),
    ],
)
async def test_what_is_no_good_key_is_told_as_rfc_6750_has_it(authorization: str | None, code: str) -> None:
    """An invalid token gets the error `invalid_token`; a request without credentials gets no error."""
    settings, key = await locked_settings()
    headers = {} if authorization is None else {"authorization": authorization.format(key=key, KEY=key.upper())}
    async with Client(create_app(settings)) as client:
        answer = await client.request("GET", "/api/conversations", headers=headers)
    assert check_problem(answer).type == f"urn:problem:{code}"
    check_response(answer, "listConversations")
    error = ', error="invalid_token"' if code == "invalid-token" else ""
    assert answer.headers["www-authenticate"] == f'Bearer realm="chat"{error}'
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
async def test_a_good_key_opens(scheme: str) -> None:
    """In any case, as in RFC 9110."""
    settings, key = await locked_settings()
    async with Client(create_app(settings)) as client:
        answer = await client.request("GET", "/api/conversations", headers={"authorization": f"{scheme} {key}"})
        assert answer.status == 200
        check_response(answer, "listConversations")


async def test_two_credentials_are_none() -> None:
    """A proxy in front of the service might use the other one."""
    settings, key = await locked_settings()
    app = create_app(settings)

    async def doubled(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [*scope["headers"], *(header for header in scope["headers"] if b"auth" in header[0])]
        await app(scope, receive, send)

    async with Client(doubled) as client:
        answer = await client.request("GET", "/api/conversations", headers={"authorization": bearer(key)})
    assert check_problem(answer).type == "urn:problem:invalid-token"


async def test_what_is_open_stays_open() -> None:
    """A load balancer has no key, and a nonexistent path needs none."""
    settings, _ = await locked_settings()
    async with Client(create_app(settings)) as client:
        for operation_id in OPEN:
            assert (await ask(client, asked_of(operation_id))).status == 200
        assert [(await ask(client, asked)).status for asked in ELSEWHERE.values()] == [404, 405, 200, 200]


@pytest.mark.parametrize("operation_id", GUARDED)
async def test_no_guarded_operation_answers_for_another_host(operation_id: str) -> None:
    """Nothing else is checked first; so 421, like 404 for a path, is not one of an operation's own statuses."""
    settings, _ = await locked_settings()
    settings = settings.model_copy(update={"allowed_hosts": HOSTS})
    async with Client(Unread(create_app(settings))) as client:
        answer = await ask(client, asked_of(operation_id).plus(host=f"{CANARY}.example", origin="https://evil.example"))
    assert answer.status == 421
    if answer.content or operation_id not in HEADS.values():
        assert check_error(answer, asked_of(operation_id).path) == "urn:problem:host-not-allowed"
    assert CANARY not in repr(answer)


@pytest.mark.parametrize("operation_id", OPEN)
async def test_a_probe_calls_by_any_name(operation_id: str) -> None:
    """A load balancer uses IP addresses; and there is nothing here that a page could read."""
    async with Client(create_app(Settings(allowed_hosts=HOSTS))) as client:
        assert (await ask(client, asked_of(operation_id).plus(host="10.0.0.1"))).status == 200


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_nothing_else_is_there_for_another_host(name: str) -> None:
    """Not even a 404."""
    async with Client(create_app(Settings(allowed_hosts=HOSTS))) as client:
        answer = await ask(client, ELSEWHERE[name].plus(host="evil.example"))
    assert check_problem(answer).type == "urn:problem:host-not-allowed"


def test_the_document_has_the_other_host_among_what_no_operation_answers() -> None:
    """With its own text, and in no operation."""
    used = {
        response.get("$ref", "").rpartition("/")[2]
        for operation in OPERATIONS.values()
        for response in operation["responses"].values()
    }
    responses: dict[str, Any] = DOCUMENT["components"]["responses"]
    unused = [
        example["value"]["status"]
        for name in responses.keys() - used
        for example in responses[name]["content"][PROBLEM_TYPE]["examples"].values()
    ]
    assert sorted(unused) == [405, 414, 421, 431, 501, 505]
    description = " ".join(DOCUMENT["info"]["description"].split())
    (said,) = re.findall(r"This includes requests that no operation handles: (.*?)\.", description)
    assert {int(status) for status in re.findall(r"\b[45][0-9]{2}\b", said)} == {400, 404, *unused}


async def test_hosts_are_held_against_the_list() -> None:
    """With any port; `*.` matches any subdomain, and not the domain itself."""
    async with Client(create_app(Settings(allowed_hosts=HOSTS))) as client:
        for hosts, status in ((SERVED, 200), (NOT_SERVED, 421)):
            for host in hosts:
                answer = await client.request("GET", "/api/conversations", headers={"host": host})
                assert answer.status == status, host
