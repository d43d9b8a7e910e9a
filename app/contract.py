"""Reads `openapi.yaml`, the source of truth, and makes the application obey it.

Handlers are bound by `operationId`: a path, a method or a status is written in the document and nowhere in the code.
Problems too are the document's: each example of an error response is what the service sends, to the letter.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from fastapi import FastAPI

from app.http.direct import DirectRoute
from app.http.gate import Gate

ROOT = Path(__file__).parent.parent
PROBLEM = "application/problem+json"
STREAM = "text/event-stream"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where it is there: ten times as fast

Handler = Callable[..., Awaitable[Any]]


class ContractError(Exception):
    """The document and the code do not fit together; the message says where."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document."""

    operation_id: str
    method: str
    path: str
    statuses: frozenset[int]
    is_guarded: bool
    """Whether it wants credentials, where there are any."""
    is_stream: bool

    @property
    def success(self) -> int:
        """The status of a good end."""
        return min(self.statuses)

    @property
    def handler_name(self) -> str:
        """The `operationId` in snake_case."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.operation_id).lower()


class Contract:
    """The parsed document."""

    def __init__(self, text: str, derived_json: str) -> None:
        """`text` is `openapi.yaml`'s; `derived_json` is what `scripts/generate` derived for tools that refuse 3.2."""
        self.text = text
        self.derived_json = derived_json
        self.document: dict[str, Any] = yaml.load(text, Loader=_LOADER)  # noqa: S506 - it is a safe loader
        self.json = json.dumps(self.document, ensure_ascii=False, separators=(",", ":"))
        self.operations = {operation.operation_id: operation for operation in self._operations()}
        self.problems = self._problems()

    @classmethod
    def load(cls) -> "Contract":
        """Read the documents that this checkout has."""
        return cls(
            (ROOT / "openapi.yaml").read_text("utf-8"), (ROOT / "generated" / "openapi-3.1.json").read_text("utf-8")
        )

    def bind(self, app: FastAPI, handlers: Iterable[Handler], gate: Gate) -> None:
        """Route every operation to the handler that bears its name; the gate guards those that the document secures.

        Raises `ContractError` if an operation has no handler, or a handler no operation.
        """
        by_name = {handler.__name__: handler for handler in handlers}
        wanted = {operation.handler_name: operation for operation in self.operations.values()}
        if missing := wanted.keys() - by_name.keys():
            names = ", ".join(f"{wanted[name].operation_id} ({name})" for name in sorted(missing))
            msg = f"openapi.yaml has operations without a handler: {names}"
            raise ContractError(msg)
        if unknown := by_name.keys() - wanted.keys():
            msg = f"there are handlers without an operation in openapi.yaml: {', '.join(sorted(unknown))}"
            raise ContractError(msg)
        for name, operation in wanted.items():
            app.router.add_api_route(
                operation.path,
                by_name[name],
                methods=[operation.method],
                operation_id=operation.operation_id,
                status_code=operation.success,
                route_class_override=DirectRoute,
            )
            route = app.router.routes[-1]
            if operation.is_guarded and isinstance(route, DirectRoute):
                route.guard(gate, is_stream=operation.is_stream)
        app.openapi = lambda: self.document  # type: ignore[method-assign]  # FastAPI's documented way to replace it

    def address(self, operation_id: str) -> Callable[[str], str]:
        """What makes the path of an operation that has one parameter."""
        before, _, rest = self.operations[operation_id].path.partition("{")
        after = rest.partition("}")[2]
        return lambda value: f"{before}{value}{after}"

    def allowed_methods(self, path: str) -> list[str]:
        """The methods that the document has for a concrete path."""
        return sorted(
            operation.method for operation in self.operations.values() if _path_pattern(operation.path).fullmatch(path)
        )

    def _operations(self) -> Iterator[Operation]:
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    spec = item[method]
                    statuses = frozenset(int(status) for status in spec["responses"])
                    is_guarded = bool(spec.get("security", self.document["security"]))
                    is_stream = STREAM in self._success(spec).get("content", {})
                    yield Operation(spec["operationId"], method.upper(), path, statuses, is_guarded, is_stream)

    def _success(self, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        response: Mapping[str, Any] = spec["responses"][min(spec["responses"])]
        if "$ref" not in response:
            return response
        found: Mapping[str, Any] = self.document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        return found

    def _problems(self) -> Mapping[str, Mapping[str, Any]]:
        problems: dict[str, Mapping[str, Any]] = {}
        for name, response in self.document["components"]["responses"].items():
            for example in response.get("content", {}).get(PROBLEM, {}).get("examples", {}).values():
                problem = example["dataValue"]
                code = problem["type"].removeprefix("urn:problem:")
                if code in problems:
                    msg = f"openapi.yaml has two examples of the problem {code}; the second is in {name}"
                    raise ContractError(msg)
                problems[code] = problem
        return problems


def _path_pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]+\})", path))
    )
