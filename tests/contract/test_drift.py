"""Document and code cannot drift apart: FastAPI's own idea of the routes is compared with openapi.yaml."""

from typing import Any
from urllib.parse import urljoin

import pytest
import yaml
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.contract import Contract, ContractError, Handler
from app.http.problems import Problems
from app.main import create_app
from tests.contract.document import DOCUMENT, METHODS, PLACES, TEXT
from tests.support.asgi import Client
from tests.support.keys import made_key
from tests.support.settings import Settings

DERIVED = Contract.load().derived_json


def handler(name: str) -> Handler:
    """A handler with this name."""

    async def handle() -> None:
        """Return nothing."""

    handle.__name__ = name
    return handle


HANDLERS = [
    handler(operation.handler_name) for operation in Contract.load().operations.values() if not operation.is_head
]


def outline(document: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    """Path, method, operationId and success status of each operation."""
    return {
        (path, method, item[method]["operationId"], min(item[method]["responses"]))
        for path, item in document["paths"].items()
        for method in METHODS & item.keys()
    }


def test_fastapi_finds_the_same_operations_in_the_routes() -> None:
    """Paths, methods, operationIds and statuses, from the bound routes."""
    app = create_app(Settings())
    derived = get_openapi(title="", version="", routes=app.routes)
    assert outline(derived) == outline(DOCUMENT)


async def test_a_route_that_fastapi_has_described_keeps_its_gate() -> None:
    """It is analysed only when FastAPI is asked, and is still called in the same way."""
    settings = Settings()
    await made_key(settings.database_url)
    app = create_app(settings)
    get_openapi(title="", version="", routes=app.routes)
    async with Client(app) as client:
        assert (await client.request(*PLACES["listConversations"])).status == 401


def test_the_application_calls_the_document_its_own() -> None:
    """FastAPI's own document is openapi.yaml."""
    assert create_app(Settings()).openapi() == DOCUMENT | {"servers": Contract.load().document["servers"]}


def test_an_operation_without_a_handler_is_refused() -> None:
    """The service does not start with a contract that it does not implement."""
    contract = Contract(TEXT.replace("operationId: getHealth", "operationId: getHealthOfAll"), DERIVED)
    with pytest.raises(ContractError, match=r"getHealthOfAll \(get_health_of_all\)"):
        contract.bind(FastAPI(), HANDLERS, create_app(Settings()).state.gate)


def test_a_handler_without_an_operation_is_refused() -> None:
    """Nor with code that is not in the contract."""
    document = yaml.safe_load(TEXT)
    del document["paths"]["/api/ready"]
    with pytest.raises(ContractError, match="get_readiness"):
        Contract(yaml.safe_dump(document), DERIVED).bind(FastAPI(), HANDLERS, create_app(Settings()).state.gate)


@pytest.mark.parametrize(
    ("operation_id", "to", "reference"),
    [
        ("streamChat", "streamReply", "replies/1/events"),
        ("streamReply", "streamReply", "events"),
        ("createReply", "getReply", "replies/1"),
        ("streamChat", "getReply", "replies/1"),
    ],
)
def test_an_operation_is_found_from_another_one_below_any_path(operation_id: str, to: str, reference: str) -> None:
    """As RFC 3986, section 5.2, resolves a relative reference."""
    told = Contract.load().reference(operation_id, to=to)("1")
    assert told == reference
    paths = [f"https://host.example/below/this{PLACES[name][1].format(reply_id=1)}" for name in (operation_id, to)]
    assert urljoin(paths[0], told) == paths[1]


def test_a_guarded_handler_that_goes_fastapis_way_is_refused() -> None:
    """FastAPI would read the body before the credentials are checked."""
    with pytest.raises(TypeError, match="stream_chat"):
        Contract.load().bind(FastAPI(), HANDLERS, create_app(Settings()).state.gate)


def test_a_problem_with_two_wordings_is_refused() -> None:
    """A problem has only one text."""
    text = TEXT.replace("urn:problem:body-too-slow", "urn:problem:body-too-large")
    with pytest.raises(ContractError, match="body-too-large"):
        Contract(text, DERIVED)


def test_an_error_without_a_problem_is_refused() -> None:
    """Every error of the domain has its text in the document."""
    problems = dict(Contract.load().problems)
    del problems["bot-timeout"]
    with pytest.raises(LookupError, match="bot-timeout"):
        Problems(problems, Contract.load().reference("streamChat", to="getReply"))
