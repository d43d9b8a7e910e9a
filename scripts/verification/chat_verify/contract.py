"""The contract as data: operations, statuses, problems and schemas of the OpenAPI document, and checks against them.

Owns the document and the checks of a single response or JSON value. Knows nothing about connections or laws. Responses
are open: fields, events and problem types that this version does not have are accepted.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jsonschema_rs
import yaml

from chat_verify.exchange import Answer

PROBLEM_TYPE = "application/problem+json"
STREAM_TYPE = "text/event-stream"
REQUEST_ID = re.compile("[0-9a-f]{32}")

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"})
_NAME = "openapi.yaml"


class NotAsDocumented(ValueError):
    """A value differs from the contract; the message says where."""


def text() -> str:
    """The document: the copy in the installed package or, in a checkout, the original at its root."""
    packaged = Path(__file__).parent / _NAME
    return (packaged if packaged.exists() else packaged.parents[3] / _NAME).read_text("utf-8")


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, if installed: ten times as fast
DOCUMENT: dict[str, Any] = yaml.load(text(), Loader=_LOADER)  # noqa: S506 - it is a safe loader
VERSION: str = DOCUMENT["info"]["version"]


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    found = DOCUMENT if "$ref" in node else node
    for part in node.get("$ref", "").split("/")[1:]:
        found = found[part]
    return found


def _operations() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in sorted(_METHODS & item.keys()):
            yield item[method]["operationId"], method.upper(), path, item[method]


def _is_needed(parameter: Mapping[str, Any]) -> bool:
    return parameter["in"] == "query" and bool(parameter.get("required"))


def _problems() -> Iterator[tuple[str, dict[str, Any]]]:
    for response in DOCUMENT["components"]["responses"].values():
        for example in response.get("content", {}).get(PROBLEM_TYPE, {"examples": {}})["examples"].values():
            yield example["value"]["type"].removeprefix("urn:problem:"), example["value"]


PLACES = {operation_id: (method, path) for operation_id, method, path, _ in _operations()}
"""The method and path of each operation."""

QUERIES = {
    operation_id: urlencode(
        {each["name"]: each["example"] for each in map(_resolved, spec.get("parameters", [])) if _is_needed(each)}
    )
    for operation_id, _, _, spec in _operations()
}
"""The query of each operation that has no more than what is required."""

GUARDED = tuple(operation_id for operation_id, _, _, spec in _operations() if spec.get("security") != [])
"""The operations that require credentials, if the deployment has any."""

PROBLEMS: Mapping[str, Mapping[str, Any]] = dict(_problems())
"""The document's problems, by the last part of the type."""

_RESPONSES: Mapping[str, Mapping[str, dict[str, Any]]] = {
    operation_id: {status: _resolved(response) for status, response in spec["responses"].items()}
    for operation_id, _, _, spec in _operations()
}
_EVERYWHERE = {400, 421, 431, 501, 505}
"""Statuses of requests that never reach an operation."""
_NO_OPERATION = {404, 405}
_PATTERNS = [
    (operation_id, method, re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)))
    for operation_id, (method, path) in PLACES.items()
]
_OF_THIS_REPLY = {"errors", "words", "usage"}
"""The members of a problem that depend on the request or reply."""


def operation_of(method: str, path: str) -> str:
    """The operation that a request is for; empty if there is none."""
    bare = path.partition("?")[0]
    return next((name for name, its, pattern in _PATTERNS if its == method and pattern.fullmatch(bare)), "")


def check_status(operation_id: str, status: int) -> None:
    """Raises `NotAsDocumented` unless the document has this status for the operation."""
    documented = _RESPONSES.get(operation_id, dict.fromkeys(map(str, _NO_OPERATION)))
    if "default" not in documented and status not in _EVERYWHERE and str(status) not in documented:
        listed = ", ".join(sorted(documented))
        raise NotAsDocumented(f"status {status}; {operation_id or 'a request without an operation'} has {listed}")


def check_headers(operation_id: str, status: int, headers: Mapping[str, str]) -> None:
    """Raises `NotAsDocumented` unless the response's headers are present and valid according to the document."""
    for name, reference in _response(operation_id, status).get("headers", {}).items():
        value = headers.get(name.lower())
        header = _resolved(reference)
        if value is None:
            if header.get("required"):
                raise NotAsDocumented(f"the header {name} is missing")
            continue
        is_number = header["schema"].get("type") == "integer" and re.fullmatch("-?[0-9]+", value)
        if error := _error(_compiled(json.dumps(header["schema"])), int(value) if is_number else value):
            raise NotAsDocumented(f"the header {name}: {error}")


def check_json(operation_id: str, answer: Answer) -> None:
    """Raises `ValueError` unless the body of a successful response is valid according to the document."""
    content = _response(operation_id, answer.status).get("content", {})
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    if content and media_type not in content:
        raise NotAsDocumented(f"the media type is {media_type or 'missing'}, where {', '.join(content)} is documented")
    if "application/json" in content:
        check_schema(content["application/json"]["schema"], answer.json())


def check_schema(schema: Mapping[str, Any], value: object) -> None:
    """Raises `NotAsDocumented` unless a value is valid against a schema of the document."""
    if error := _error(_compiled(json.dumps(schema)), value):
        raise NotAsDocumented(error)


def check_component(name: str, value: object) -> None:
    """The same for a named schema."""
    check_schema({"$ref": f"#/components/schemas/{name}"}, value)


def _problem_of_openai(answer: Answer) -> Mapping[str, Any]:
    """The problem behind an error in OpenAI's shape, which has a problem's type as its code."""
    error = answer.json()
    check_component("OpenAIErrorResponse", error)
    documented = PROBLEMS.get(error["error"]["code"])
    if documented is None or documented["status"] != answer.status:
        raise NotAsDocumented(f"the contract {VERSION} has no {error['error']['code']} of status {answer.status}")
    return documented


def check_problem(answer: Answer, *, same_version: bool = True) -> Mapping[str, Any]:
    """The problem in an error response.

    The texts of a known problem must be the document's verbatim, so that none repeats the request; a deployment of
    another version of the contract may word them differently. Raises `ValueError`.
    """
    media_type = answer.headers.get("content-type")
    if media_type == "application/json" and "error" in answer.json():
        return _problem_of_openai(answer)
    if media_type != PROBLEM_TYPE:
        raise NotAsDocumented(f"an error is {PROBLEM_TYPE}, not {media_type}")
    problem: Mapping[str, Any] = answer.json()
    check_component("Problem", problem)
    if problem["status"] != answer.status:
        raise NotAsDocumented(f"a problem of status {problem['status']} was sent with status {answer.status}")
    documented = PROBLEMS.get(problem["type"].removeprefix("urn:problem:"))
    if documented is None:
        if same_version:
            raise NotAsDocumented(f"the contract {VERSION} has no {problem['type']}")
        return problem
    names = set(documented) - _OF_THIS_REPLY if same_version else {"status", "retryable"}
    different = {name: problem[name] for name in sorted(names) if problem[name] != documented[name]}
    if different:
        raise NotAsDocumented(f"{problem['type']} differs from the contract: {different}")
    return problem


def _response(operation_id: str, status: int) -> dict[str, Any]:
    responses = _RESPONSES.get(operation_id, {})
    return responses.get(str(status)) or responses.get("default") or {}


@cache
def _compiled(schema: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({**json.loads(schema), "components": DOCUMENT["components"]})


def _error(validator: jsonschema_rs.Validator, value: object) -> str:
    """The first error in a value, and where it is; empty if the value is valid."""
    for error in validator.iter_errors(value):
        where = "/".join(map(str, error.instance_path))
        return f"{error.message[:300]}{f' (at /{where})' if where else ''}"
    return ""
