"""Pages of other origins: preflights, what a page may read, and what is refused."""

from collections.abc import AsyncIterator

import pytest

from app.main import create_app
from tests.contract.asking import NOBODY, Request
from tests.contract.document import DOCUMENT, OPERATIONS, PLACES, check_error, check_problem, resolved
from tests.contract.refusals import GUARDED, UNSAFE, asked_of
from tests.support.asgi import Client, Whole
from tests.support.settings import Settings

OURS = "https://page.example"
ALLOWED = [OURS, "http://localhost:5173"]
OTHERS = [
    "https://evil.example",
    "https://page.example.evil",
    "http://page.example",
    "https://page.example:8443",
    "null",
]
SAFE_ANYWAY = {"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified"}
"""Readable in every response (https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name)."""
FOR_CACHES = {"cache-control", "pragma"}
"""Sent by pages that try out an API, to anything."""
OF_OPENAI = {
    "openai-organization",
    "openai-project",
    *(f"x-stainless-{name}" for name in ("arch", "helper-method", "lang", "os", "package-version", "retry-count")),
    *(f"x-stainless-{name}" for name in ("runtime", "runtime-version", "timeout")),
}
"""Sent by OpenAI's SDK for JavaScript."""
OF_OTHERS = {"user-agent", "x-run-id"}
"""Sent by the AI SDK, and by TanStack's client for AG-UI."""
FOR_PROXIES = {"x-accel-buffering"}
SAFELISTED_METHODS = {"get", "head", "post"}
"""Always allowed (https://fetch.spec.whatwg.org/#cors-safelisted-method)."""
PREFLIGHT = {"origin": OURS, "access-control-request-method": "POST"}


def listed(value: str) -> set[str]:
    """The elements of a list header, in lower case."""
    return {part.strip().lower() for part in value.split(",")}


def header_parameters() -> set[str]:
    """The documented request headers."""
    parameters = DOCUMENT["components"]["parameters"].values()
    return {parameter["name"].lower() for parameter in parameters if parameter["in"] == "header"}


def response_headers() -> set[str]:
    """The documented headers of any response."""
    responses = [response for operation in OPERATIONS.values() for response in operation["responses"].values()]
    return {name.lower() for response in responses for name in resolved(response)["headers"]}


async def ask(client: Client, asked: Request) -> Whole:
    """Send a request."""
    return await client.request(asked.method, asked.path, content=asked.content.encode(), headers=asked.headers)


def serving(**settings: object) -> Client:
    """A service that allows our origins, unless the settings say otherwise."""
    own = Settings.model_validate({"bot": "simulator", "allowed_origins": ALLOWED} | settings)
    return Client(create_app(own))


@pytest.fixture(scope="module")
async def service() -> AsyncIterator[Client]:
    """One for all tests: where a request comes from is judged by its own headers alone, before it does anything.

    What other tests leave behind are conversations, which none of them reads.
    """
    async with serving() as client:
        yield client


@pytest.fixture(scope="module")
async def locked() -> AsyncIterator[Client]:
    """One that lets nobody in whom the tests could send: nothing is left behind."""
    async with serving(jwt_issuer="a", jwt_audience="b", jwt_keys_url="http://127.0.0.1:1/") as client:
        yield client


@pytest.mark.parametrize("origin", ALLOWED)
@pytest.mark.parametrize("operation_id", PLACES)
async def test_a_browser_is_told_what_a_page_may_send(operation_id: str, origin: str, locked: Client) -> None:
    """Every documented method and header, to pages of this one origin; without cookies."""
    method, path = PLACES[operation_id]
    headers = PREFLIGHT | {"origin": origin, "access-control-request-method": method}
    asked = Request("OPTIONS", path.format(reply_id=NOBODY, conversation_id=NOBODY), headers)
    answer = await ask(locked, asked)  # without a key
    assert answer.status == 204
    assert answer.content == b""
    assert answer.headers["access-control-allow-origin"] == origin
    assert method.lower() in listed(answer.headers["access-control-allow-methods"]) | SAFELISTED_METHODS
    wanted = header_parameters() | {"authorization", "content-type"} | FOR_CACHES | OF_OPENAI | OF_OTHERS
    assert listed(answer.headers["access-control-allow-headers"]) == wanted
    assert "access-control-allow-credentials" not in answer.headers
    assert int(answer.headers["access-control-max-age"]) > 0
    assert "origin" in listed(answer.headers["vary"])
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize("origin", OTHERS)
async def test_pages_of_other_origins_are_told_nothing(origin: str, service: Client) -> None:
    """The response is the same as to any OPTIONS, which a browser takes for a refusal."""
    answer = await ask(service, Request("OPTIONS", "/api/chat", PREFLIGHT | {"origin": origin}))
    assert check_problem(answer).type == "urn:problem:method-not-allowed"
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "origin" in listed(answer.headers["vary"])


@pytest.mark.parametrize(
    "asked", [Request("OPTIONS", "/api/chat", PREFLIGHT), Request("GET", "/api/health", PREFLIGHT)]
)
async def test_by_default_no_origin_is_told_anything(asked: Request) -> None:
    """The service's own page does not need it."""
    async with serving(allowed_origins=[]) as client:
        answer = await ask(client, asked)
    assert answer.status == (405 if asked.method == "OPTIONS" else 200)
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("operation_id", PLACES)
async def test_a_page_may_see_every_header_of_the_document(operation_id: str, service: Client) -> None:
    """Except the ones for proxies."""
    answer = await ask(service, asked_of(operation_id).plus(origin=OURS, sec_fetch_site="cross-site"))
    assert answer.headers["access-control-allow-origin"] == OURS
    exposed = listed(answer.headers["access-control-expose-headers"])
    assert exposed == response_headers() - SAFE_ANYWAY - FOR_PROXIES
    assert "origin" in listed(answer.headers["vary"])


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (Request("GET", "/nothing"), 404),
        (Request("PUT", "/api/chat"), 405),
        (GUARDED["getConversation"], 404),
        (Request("POST", "/api/chat", {"content-type": "application/json"}, "{"), 400),
    ],
)
async def test_a_page_may_see_errors_too(asked: Request, status: int, service: Client) -> None:
    """Otherwise it could only tell its user that something went wrong."""
    answer = await ask(service, asked.plus(origin=OURS))
    assert answer.status == status
    check_problem(answer)
    assert answer.headers["access-control-allow-origin"] == OURS


async def test_a_page_may_see_that_its_key_is_wrong_and_that_it_asks_too_often(locked: Client) -> None:
    """With the headers that say what to do."""
    settings = Settings(allowed_origins=ALLOWED, requests_per_minute=1)
    async with Client(create_app(settings)) as client:
        await client.request("GET", "/api/conversations")
        limited = await client.request("GET", "/api/conversations", headers={"origin": OURS})
    refused = await ask(locked, Request("GET", "/api/conversations", {"origin": OURS}))
    for answer, status, header in ((limited, 429, "retry-after"), (refused, 401, "www-authenticate")):
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == OURS
        assert {header} <= answer.headers.keys() & listed(answer.headers["access-control-expose-headers"])


@pytest.mark.parametrize("operation_id", UNSAFE)
@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({}, True),  # not a browser
        ({"origin": OURS}, True),
        ({"origin": OURS, "sec-fetch-site": "cross-site"}, True),
        ({"origin": "https://testserver", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "https://testserver"}, True),  # an old browser
        ({"sec-fetch-site": "none"}, True),  # the address was typed in
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "nonsense"}, False),
        ({"origin": "https://testserver", "sec-fetch-site": "cross-site"}, False),
        *(
            ({"origin": origin}, False)
            for origin in [*OTHERS, "", "https://testserver.evil", "https://[", "testserver"]
        ),
    ],
    ids=str,
)
async def test_only_our_pages_may_change_something(
    operation_id: str, headers: dict[str, str], service: Client, *, is_ours: bool
) -> None:
    """A page of another site must not act on behalf of its visitor, whether or not it may read the response."""
    answer = await ask(service, UNSAFE[operation_id].plus(**headers))
    if is_ours:
        assert answer.status == 404 if NOBODY in UNSAFE[operation_id].path else answer.status in {200, 204}
    else:
        assert check_error(answer, UNSAFE[operation_id].path) == "urn:problem:cross-site"


@pytest.mark.parametrize("operation_id", sorted(PLACES.keys() - UNSAFE.keys()))
async def test_any_page_may_ask_for_what_changes_nothing(operation_id: str, service: Client) -> None:
    """Links may lead here from anywhere; only the response is readable for nobody but our pages."""
    answer = await ask(service, asked_of(operation_id).plus(origin=OTHERS[0], sec_fetch_site="cross-site"))
    assert answer.status in {200, 204, 404}
    assert not [name for name in answer.headers if name.startswith("access-control")]
