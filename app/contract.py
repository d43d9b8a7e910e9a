"""Reads `openapi.yaml`, the source of truth, and binds the application to it.

Handlers are bound by `operationId`: paths, methods and statuses are only in the document, never in the code. So are
problems: the service sends the examples of the error responses verbatim.
"""

import json
import posixpath
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from fastapi import FastAPI

from app.access.gate import Gate
from app.http.direct import DirectRoute

ROOT = Path(__file__).parent.parent
PROBLEM = "application/problem+json"
STREAM = "text/event-stream"
_OWN_KEY = "metricsKey"

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, if installed: ten times as fast

MESSAGE_CHARACTERS = 16_000
"""The longest message that openapi.yaml allows."""

_LIMIT = re.compile(r"""(?P<bound>"?maxLength"?: )16000\b|(?P<text>1 to )16,000(?= characters)""")
"""Where it does."""

_SERVED_FROM = """
servers:
  - url: ./
    description: The server that serves this document.
"""
"""Added to the document when a server serves it: its operations are relative to the document's own URL.

A file on disk has no such URL, and tools would be confused: schemathesis, for one, warns about it.
"""

Handler = Callable[..., Awaitable[Any]]


class ContractError(Exception):
    """The document and the code do not match; the message says where."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document."""

    operation_id: str
    method: str
    path: str
    statuses: frozenset[int]
    is_guarded: bool
    """Whether it requires credentials when access control is on."""
    has_own_key: bool
    """Whether there can be a key for it alone; then the handler asks the gate, where there is none."""
    is_stream: bool
    """Whether it lasts as long as a reply."""
    may_repeat: bool
    """Whether it accepts an idempotency key."""

    @property
    def success(self) -> int:
        """The status of a successful response."""
        return min(self.statuses)

    @property
    def is_head(self) -> bool:
        """Whether it is HEAD: then the handler of GET answers it, and the server drops the body."""
        return self.method == "HEAD"

    @property
    def handler_name(self) -> str:
        """The `operationId` in snake_case."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.operation_id).lower()


class Contract:
    """The parsed document."""

    def __init__(self, text: str, derived_json: str) -> None:
        """`text` is `openapi.yaml`; `derived_json` is what `scripts/generate` derives for tools without 3.2 support."""
        self.text = text + _SERVED_FROM
        self.document: dict[str, Any] = yaml.load(self.text, Loader=_LOADER)  # noqa: S506 - it is a safe loader
        self.json = _compact(self.document)
        self.derived_json = _compact(json.loads(derived_json) | {"servers": self.document["servers"]})
        self.operations = {operation.operation_id: operation for operation in self._operations()}
        self.problems = self._problems()

    @classmethod
    def load(cls, message_characters: int = MESSAGE_CHARACTERS) -> "Contract":
        """Read the documents that this checkout has, once: parsing them takes a tenth of a second.

        They say that a message may have so many characters.
        """
        return cls._loaded(message_characters)  # the default and its value are one entry of the cache

    @classmethod
    @cache
    def _loaded(cls, message_characters: int) -> "Contract":
        texts = [(ROOT / name).read_text("utf-8") for name in ("openapi.yaml", "generated/openapi-3.1.json")]
        if message_characters != MESSAGE_CHARACTERS:
            texts = [_LIMIT.sub(lambda found: _limit(found, message_characters), text) for text in texts]
        return cls(*texts)

    @property
    def version(self) -> str:
        """The contract's, which is the service's."""
        version: str = self.document["info"]["version"]
        return version

    def bind(self, app: FastAPI, handlers: Iterable[Handler], gate: Gate) -> None:
        """Route every operation to the handler with its name; the gate guards those that the document secures.

        Raises `ContractError` if an operation has no handler, or a handler has no operation.
        """
        by_name = {handler.__name__: handler for handler in handlers}
        wanted = {operation.handler_name: operation for operation in self.operations.values() if not operation.is_head}
        if missing := wanted.keys() - by_name.keys():
            names = ", ".join(f"{wanted[name].operation_id} ({name})" for name in sorted(missing))
            msg = f"openapi.yaml has operations without a handler: {names}"
            raise ContractError(msg)
        if unknown := by_name.keys() - wanted.keys():
            msg = f"there are handlers without an operation in openapi.yaml: {', '.join(sorted(unknown))}"
            raise ContractError(msg)
        by_path = {operation.path: name for name, operation in wanted.items() if operation.method == "GET"}
        for operation in self.operations.values():
            app.router.add_api_route(
                operation.path,
                by_name[by_path[operation.path] if operation.is_head else operation.handler_name],
                methods=[operation.method],
                operation_id=operation.operation_id,
                status_code=operation.success,
                route_class_override=DirectRoute,
            )
            route = app.router.routes[-1]
            if operation.is_guarded and not operation.has_own_key and isinstance(route, DirectRoute):
                opens = operation.is_stream or operation.may_repeat  # waiting for a JSON reply counts, too
                route.guard(gate, is_stream=opens, may_repeat=operation.may_repeat)
        app.openapi = lambda: self.document  # type: ignore[method-assign]  # FastAPI's documented way to replace it

    def reference(self, operation_id: str, *, to: str) -> Callable[[str], str]:
        """A function that returns the relative reference from one operation to another, given its only parameter.

        Relative to the request's URL (RFC 3986, section 5.2), so it also works below any path of a proxy.
        """
        here, there = self.operations[operation_id].path, self.operations[to].path
        before, _, rest = posixpath.relpath(there, posixpath.dirname(here)).partition("{")
        after = rest.partition("}")[2]
        return (lambda value: f"{before}{value}{after}") if rest else (lambda _: before)

    def allowed_methods(self, path: str) -> list[str]:
        """The methods that the document defines for a concrete path."""
        return sorted(
            operation.method for operation in self.operations.values() if _path_pattern(operation.path).fullmatch(path)
        )

    def _operations(self) -> Iterator[Operation]:
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    spec = item[method]
                    statuses = frozenset(int(status) for status in spec["responses"] if status != "default")
                    ways = {name for way in spec.get("security", self.document["security"]) for name in way}
                    may_repeat = {"$ref": "#/components/parameters/IdempotencyKey"} in spec.get("parameters", [])
                    is_stream = may_repeat or STREAM in self._success(spec).get("content", {})
                    yield Operation(
                        spec["operationId"],
                        method.upper(),
                        path,
                        statuses,
                        is_guarded=bool(ways),
                        has_own_key=_OWN_KEY in ways,
                        is_stream=is_stream,
                        may_repeat=may_repeat,
                    )

    def _success(self, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        response: Mapping[str, Any] = spec["responses"][min(spec["responses"])]  # digits come before `default`
        if "$ref" not in response:
            return response
        found: Mapping[str, Any] = self.document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        return found

    def _problems(self) -> Mapping[str, Mapping[str, Any]]:
        problems: dict[str, Mapping[str, Any]] = {}
        for name, response in self.document["components"]["responses"].items():
            for example in response.get("content", {}).get(PROBLEM, {}).get("examples", {}).values():
                problem = example["value"]
                code = problem["type"].removeprefix("urn:problem:")
                if code in problems:
                    msg = f"openapi.yaml has two examples of the problem {code}; the second is in {name}"
                    raise ContractError(msg)
                problems[code] = problem
        return problems


def _compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _limit(found: re.Match[str], characters: int) -> str:
    return f"{found['bound']}{characters}" if found["bound"] else f"{found['text']}{characters:,}"


def _path_pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]+\})", path))
    )
