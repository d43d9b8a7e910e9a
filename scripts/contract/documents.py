"""Looks things up in an OpenAPI document: operations, parameters, responses, streams, problems."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
STREAM = "text/event-stream"
ANY_OTHER = "*"
"""Stands for events that a later version may add."""
_PROBLEM = "application/problem+json"

Node = Mapping[str, Any]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, if installed: ten times as fast


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document with local references only."""

    root: Node

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Raises `OSError`, and `ValueError` if it does not parse."""
        try:
            return cls(yaml.load(path.read_text("utf-8"), Loader=_LOADER))  # noqa: S506 - it is a safe loader
        except yaml.YAMLError as error:
            raise ValueError(f"{path} does not parse: {error}") from error

    def resolved(self, node: Node) -> Node:
        """The node that a node refers to, or the node itself. Raises `ValueError` for a dangling reference."""
        while "$ref" in node:
            found = self.root
            for part in node["$ref"].split("/")[1:]:
                if (key := part.replace("~1", "/").replace("~0", "~")) not in found:
                    raise ValueError(f"{node['$ref']} leads nowhere")
                found = found[key]
            node = found
        return node

    def operations(self) -> dict[str, Node]:
        """The operations by method and path, such as `GET /api/health`."""
        return {
            f"{method.upper()} {path}": {**item[method], "parameters": [*_both(item, item[method])]}
            for path, item in self.root.get("paths", {}).items()
            for method in _METHODS
            if method in item
        }

    def security(self, operation: Node) -> list[str]:
        """The security alternatives, each as the names of its schemes; an empty name means anonymous access."""
        ways = operation.get("security", self.root.get("security", []))
        return [" and ".join(sorted(way)) for way in ways]

    def parameters(self, operation: Node) -> dict[str, Node]:
        """The parameters by location and name, such as `query limit`."""
        found = map(self.resolved, operation["parameters"])
        return {f"{parameter['in']} {parameter['name']}": parameter for parameter in found}

    def responses(self, operation: Node) -> dict[str, Node]:
        """The responses by status."""
        return {str(status): self.resolved(response) for status, response in operation.get("responses", {}).items()}

    def events(self, stream: Node) -> list[str]:
        """The names of a stream's events: `message` for unnamed ones, `*` for any other name."""
        item = self.resolved(stream.get("itemSchema", {}))
        events = map(self.resolved, item.get("oneOf", item.get("anyOf", [item])))
        return [_event(event) for event in events]

    def problems(self) -> dict[str, Node]:
        """The problems by type, from the examples of the responses."""
        components = self.root.get("components", {}).get("responses", {}).values()
        inline = (response for operation in self.operations().values() for response in operation["responses"].values())
        return {
            problem["type"]: problem
            for response in (*components, *inline)
            for example in self.resolved(response).get("content", {}).get(_PROBLEM, {}).get("examples", {}).values()
            if "type" in (problem := self.resolved(example).get("value", {}))
        }


def _event(schema: Node) -> str:
    name: Node = schema.get("properties", {}).get("event", {})
    word: str = name.get("const", ANY_OTHER if name else "message")
    return word


def _both(item: Node, operation: Node) -> Iterator[Node]:
    yield from item.get("parameters", [])
    yield from operation.get("parameters", [])
