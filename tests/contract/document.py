"""The document as the tests see it, and what it says about a response."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import schemathesis
import schemathesis.checks
import yaml

from generated.models import Problem
from tests.support.asgi import Whole

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "tests" / "contract" / "schemathesis.toml"
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"})
PROBLEM_TYPE = "application/problem+json"

TEXT = (ROOT / "openapi.yaml").read_text("utf-8")
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a node of the document refers to, or the node itself."""
    found = DOCUMENT if "$ref" in node else node
    for part in node.get("$ref", "").split("/")[1:]:
        found = found[part]
    return found


def _operations() -> Iterator[tuple[str, str, str, frozenset[int]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in sorted(METHODS & item.keys()):
            yield item[method]["operationId"], method.upper(), path, frozenset(map(int, item[method]["responses"]))


def _problems() -> Iterator[tuple[str, dict[str, Any]]]:
    for response in DOCUMENT["components"]["responses"].values():
        for example in response["content"].get(PROBLEM_TYPE, {"examples": {}})["examples"].values():
            yield example["dataValue"]["type"].removeprefix("urn:problem:"), example["dataValue"]


def _links() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for item in DOCUMENT["paths"].values():
        for method in sorted(METHODS & item.keys()):
            for response in item[method]["responses"].values():
                for link_name, link in resolved(response).get("links", {}).items():
                    yield item[method]["operationId"], link_name, link


PLACES = {operation_id: (method, path) for operation_id, method, path, _ in _operations()}
"""Method and path of each operation."""

STATUSES = {operation_id: statuses for operation_id, _, _, statuses in _operations()}
"""The documented statuses of each operation."""

LINKS = list(_links())
"""Each link of each operation: the operation that it starts from, its name, and what the document has of it."""

PROBLEMS = dict(_problems())
"""Each problem, by the last part of its type, as the document has it."""


def methods_of(path: str) -> set[str]:
    """The methods that the document has for a path."""
    return {method for method, its_path in PLACES.values() if its_path == path}


def check_problem(answer: Whole) -> Problem:
    """Hold a response against what the document says about all errors.

    Raises `AssertionError`.
    """
    if answer.headers.get("content-type") != PROBLEM_TYPE:
        raise AssertionError(f"an error is {PROBLEM_TYPE}, not {answer.headers.get('content-type')}")
    problem = Problem.model_validate_json(answer.content, strict=True)
    documented = PROBLEMS.get(problem.type.removeprefix("urn:problem:"))
    if documented is None:
        raise AssertionError(f"the document has no {problem.type}")
    sent = problem.model_dump(exclude={"errors"})
    if sent != {key: value for key, value in documented.items() if key != "errors"}:
        raise AssertionError(f"{problem.type} is not what the document has: {sent}")
    if problem.status != answer.status:
        raise AssertionError(f"a problem of status {problem.status} was sent with status {answer.status}")
    return problem


def check_response(answer: Whole, operation_id: str, *, after: int = 0) -> None:
    """Hold a response of an operation against all that the document says: status, media type, headers, schema, stream.

    `after` is how many words the request said that it had. Raises an exception group, of one failure a check.
    """
    method, path = PLACES[operation_id]
    ids = dict.fromkeys(re.findall("{([^}]*)}", path), "0" * 32)
    headers = {"Last-Event-ID": f":{after}"}
    request = httpx.Request(method, f"http://testserver{path.format(**ids)}", headers=headers)
    response = httpx.Response(answer.status, headers=dict(answer.headers), content=answer.content, request=request)
    response.elapsed = dt.timedelta()
    schema = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_path(CONFIG))
    # That 5xx is documented here, and provoked on purpose, makes it no failure.
    case = schema[path][method].Case(path_parameters=ids)
    case.validate_response(response, excluded_checks=[schemathesis.checks.not_a_server_error])
