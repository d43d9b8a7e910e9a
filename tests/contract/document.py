"""The document as tests use it, and what it says about a response."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import schemathesis
import schemathesis.checks
import yaml
from schemathesis.specs.openapi.schemas import OpenApiSchema

from generated.models import Problem
from tests.support.asgi import Whole
from tests.support.closed import check_shape, closed

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "tests" / "contract" / "schemathesis.toml"
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"})
PROBLEM_TYPE = "application/problem+json"
OPENAI = "/v1/"
"""Where OpenAI's protocol is spoken."""

TEXT = (ROOT / "openapi.yaml").read_text("utf-8")
DOCUMENT: dict[str, Any] = yaml.load(TEXT, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
CLOSED = closed(DOCUMENT)
"""A copy that allows only what this version sends, without room for later versions."""

_OF_THE_CASE = {"errors", "words", "usage"}
"""The members in which problems of one type differ."""


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """The node that a node refers to, or the node itself."""
    found = DOCUMENT if "$ref" in node else node
    for part in node.get("$ref", "").split("/")[1:]:
        found = found[part]
    return found


def _operations() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in sorted(METHODS & item.keys()):
            yield item[method]["operationId"], method.upper(), path, item[method]


def _statuses(path: str, operation: dict[str, Any]) -> frozenset[int]:
    """`default` stands for GET's errors."""
    responses = operation["responses"]
    if "default" in responses:
        errors = [status for status in DOCUMENT["paths"][path]["get"]["responses"] if status >= "400"]
        responses = [status for status in responses if status != "default"] + errors
    return frozenset(map(int, responses))


def _problems() -> Iterator[tuple[str, dict[str, Any]]]:
    for response in DOCUMENT["components"]["responses"].values():
        for example in response.get("content", {}).get(PROBLEM_TYPE, {"examples": {}})["examples"].values():
            yield example["value"]["type"].removeprefix("urn:problem:"), example["value"]


def _links() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for operation_id, _, _, operation in _operations():
        for response in operation["responses"].values():
            for link_name, link in resolved(response).get("links", {}).items():
                yield operation_id, link_name, link


OPERATIONS = {operation_id: operation for operation_id, _, _, operation in _operations()}
"""The operations of the document."""

PLACES = {operation_id: (method, path) for operation_id, method, path, _ in _operations()}
"""The method and path of each operation."""

STATUSES = {operation_id: _statuses(path, operation) for operation_id, _, path, operation in _operations()}
"""The documented statuses of each operation."""

LINKS = list(_links())
"""The links of each operation: the source operation, the link's name, and its content."""

PROBLEMS = dict(_problems())
"""The document's problems, by the last part of the type."""

_IDS = {place: operation_id for operation_id, place in PLACES.items()}

HEADS = {_IDS["GET", path]: head for (method, path), head in _IDS.items() if method == "HEAD"}
"""For each GET operation, its HEAD operation."""


def methods_of(path: str) -> set[str]:
    """The methods that the document defines for a path."""
    return {method for method, its_path in PLACES.values() if its_path == path}


def body_of(operation_id: str) -> bytes:
    """The first example of its request body; empty if it has none."""
    if "requestBody" not in OPERATIONS[operation_id]:
        return b""
    examples = resolved(OPERATIONS[operation_id]["requestBody"])["content"]["application/json"]["examples"]
    return json.dumps(next(iter(examples.values()))["value"]).encode()


def check_error(answer: Whole, path: str) -> str:
    """Check an error response to a request for a path, in the form of its protocol. Returns the type of the problem.

    Raises `AssertionError`.
    """
    return _check_openai_error(answer) if f"{path}/".startswith(OPENAI) else check_problem(answer).type


def _check_openai_error(answer: Whole) -> str:
    if answer.headers.get("content-type") != "application/json":
        raise AssertionError(f"an error of OpenAI's is JSON, not {answer.headers.get('content-type')}")
    check_shape("OpenAIErrorResponse", answer.content)
    error = json.loads(answer.content)["error"]
    problem = PROBLEMS.get(error["code"])
    if problem is None:
        raise AssertionError(f"the document has no {error['code']}")
    if problem["status"] != answer.status:
        raise AssertionError(f"a problem of status {problem['status']} was sent with status {answer.status}")
    if not (error["param"] or error["message"].startswith(problem["detail"]) or "errors" in problem):
        raise AssertionError(f"{error['code']} is not what the document has: {error}")
    if answer.headers.get("x-should-retry") not in ("true" if problem["retryable"] else "false", "false"):
        raise AssertionError(f"{error['code']} has X-Should-Retry: {answer.headers.get('x-should-retry')}")
    if "reply-id" in answer.headers:
        raise AssertionError("a reply that is not stored has an id")
    kind: str = problem["type"]
    return kind


def check_problem(answer: Whole) -> Problem:
    """Check an error response against what the document says about all errors.

    Raises `AssertionError`.
    """
    if answer.headers.get("content-type") != PROBLEM_TYPE:
        raise AssertionError(f"an error is {PROBLEM_TYPE}, not {answer.headers.get('content-type')}")
    check_shape("Problem", answer.content)
    sent = json.loads(answer.content)
    code = sent["type"].removeprefix("urn:problem:")
    if code not in PROBLEMS:
        raise AssertionError(f"the document has no {code}")
    if _without_its_case(sent) != _without_its_case(PROBLEMS[code]):
        raise AssertionError(f"{code} is not what the document has: {sent}")
    if sent["status"] != answer.status:
        raise AssertionError(f"a problem of status {sent['status']} was sent with status {answer.status}")
    if ("words" in sent) != ("reply-id" in answer.headers):
        raise AssertionError(f"{code} says {sent.get('words')} words, of reply {answer.headers.get('reply-id')}")
    return Problem.model_validate_json(answer.content, strict=True)


def _without_its_case(problem: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in problem.items() if name not in _OF_THE_CASE}


def check_response(answer: Whole, operation_id: str, *, after: int = 0) -> None:
    """Check a response against everything the document says: status, media type, headers, schema, stream.

    `after` is how many words the request says it has read. Raises an exception group, with one failure per check.
    """
    method, path = PLACES[operation_id]
    ids = dict.fromkeys(re.findall("{([^}]*)}", path), "0" * 32)
    headers = {"Last-Event-ID": f":{after}"}
    request = httpx.Request(method, f"http://testserver{path.format(**ids)}", headers=headers)
    response = httpx.Response(answer.status, headers=dict(answer.headers), content=answer.content, request=request)
    response.elapsed = dt.timedelta()
    case = _schema()[path][method].Case(path_parameters=ids)
    # A 5xx that is documented and provoked on purpose is not a failure.
    case.validate_response(response, excluded_checks=[schemathesis.checks.not_a_server_error])


@cache
def _schema() -> OpenApiSchema:
    """Created on demand: the configuration's hooks import this module."""
    return schemathesis.openapi.from_dict(CLOSED, config=schemathesis.Config.from_path(CONFIG))
