"""Derives `generated/openapi-3.1.json` from `openapi.yaml`, for SDK generators and viewers without OpenAPI 3.2 support.

3.1 cannot describe a stream: there, the stream is a string, with its serialised form as the example, and ReplyStream,
the schema of the whole stream, is omitted. (swagger-typescript-api would take it for the response of that name.) Some
things are expressed differently, because SDKs are generated from this document:

- Other protocols' operations are omitted, with all that only they use: their clients exist already.
- `HEAD` is omitted. It is `GET` without the body, which every HTTP client can send; as separate operations, these would
  double the functions of each SDK.
- An enum that later versions may extend (`anyOf` of an enum and a string) is a plain string: generators turn such an
  `anyOf` into a wrapper object, or lose its value. The current problem types get their own schema, KnownProblemType. (A
  KnownFinishReason would break openapi-generator's client for Go: ReplyState also has `cancelled`.)
- A property has no `default`, which openapi-typescript takes for "required". Its description states it.
- Request bodies are inlined: swagger-typescript-api does not see the content type behind a reference.

`--check` writes nothing; it prints a diff and fails if the file is stale.
"""

import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "openapi.yaml"
TARGET = ROOT / "generated" / "openapi-3.1.json"

STREAM = "text/event-stream"

_FOREIGN = {"openai", "protocol-ag-ui", "protocol-ai-sdk"}
"""Tags of other protocols."""

_KNOWN = {"ProblemType": "KnownProblemType"}


def derive(document: dict[str, Any]) -> dict[str, Any]:
    """The same contract in OpenAPI 3.1."""
    derived: dict[str, Any] = _without_news(_ours(document))
    derived["openapi"] = "3.1.1"
    for tag in derived["tags"]:
        tag.pop("summary", None)
    bodies = derived["components"].pop("requestBodies")
    for item in derived["paths"].values():
        item.pop("head", None)
        for operation in item.values():
            if "requestBody" in operation:
                operation["requestBody"] = bodies[operation["requestBody"]["$ref"].rpartition("/")[2]]
    schemas = derived["components"]["schemas"]
    del schemas["ReplyStream"]
    derived["components"]["schemas"] = dict(
        part for name, schema in schemas.items() for part in _for_sdks(name, schema)
    )
    return derived


def _ours(document: dict[str, Any]) -> dict[str, Any]:
    """The document without the operations of other protocols, and without the components that only these use."""
    paths = {path: item for path, item in document["paths"].items() if not _FOREIGN & _tags(item)}
    foreign = {path: item for path, item in document["paths"].items() if path not in paths}
    only_theirs = _used(document, foreign) - _used(document, paths)
    components = {
        kind: {name: part for name, part in parts.items() if (kind, name) not in only_theirs}
        for kind, parts in document["components"].items()
    }
    tags = [tag for tag in document["tags"] if tag["name"] not in _FOREIGN]
    return document | {"paths": paths, "components": components, "tags": tags}


def _tags(item: dict[str, Any]) -> set[str]:
    return {tag for operation in item.values() if isinstance(operation, dict) for tag in operation.get("tags", [])}


def _used(document: dict[str, Any], node: Any) -> set[tuple[str, str]]:  # noqa: ANN401 - any JSON
    """The kinds and names of all components that a node refers to, directly or not."""
    used: set[tuple[str, str]] = set()
    waiting = [node]
    while waiting:
        match waiting.pop():
            case list() as items:
                waiting += items
            case {"$ref": str(reference)}:
                _, _, kind, name = reference.split("/")
                if (kind, name) not in used:
                    used.add((kind, name))
                    waiting.append(document["components"][kind][name])
            case dict() as members:
                waiting += members.values()
            case _:
                pass
    return used


def _for_sdks(name: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    match schema:
        case {"anyOf": [{"type": "string", "enum": known}, {"type": "string"} as any_string], **rest}:
            yield name, any_string | rest
            if name in _KNOWN:
                description = f"The values of {name} that this version has. Later versions may add some."
                yield _KNOWN[name], {"type": "string", "description": description, "enum": known}
        case _:
            for property_ in schema.get("properties", {}).values():
                property_.pop("default", None)
            yield name, schema


def _without_news(node: Any) -> Any:  # noqa: ANN401 - any JSON
    match node:
        case list():
            return [_without_news(item) for item in node]
        case dict():
            return {key: _member(key, value) for key, value in node.items() if not _is_news(key, node)}
        case _:
            return node


def _member(key: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
    if key == "content" and STREAM in value:
        value = value | {STREAM: _stream_as_string(value[STREAM])}
    if key == "links":  # openapi-generator accepts only a string as a link's body, contrary to 3.1
        value = {name: {key: link[key] for key in link if key != "requestBody"} for name, link in value.items()}
    return _without_news(value)


def _is_news(key: str, node: dict[str, Any]) -> bool:
    """Whether a member is new in 3.2, or one that many tools for 3.1 cannot handle.

    A Response Object is recognised by its members; its `summary` is new. PCRE, Go and Rust reject ECMA-262's escapes in
    a pattern; the server still checks such a pattern. openapi-generator's client for PHP matches a pattern next to
    `date-time` against an object, and rejects every time. Generators ignore `contentSchema`, and
    conditions.
    """
    is_response = "description" in node and ("content" in node or "headers" in node)
    is_pattern_of_ecma = key == "pattern" and isinstance(node[key], str) and "\\u" in node[key]
    return (
        key in {"itemSchema", "contentSchema", "contentMediaType", "if", "then", "else"}
        or is_pattern_of_ecma
        or (key == "pattern" and node.get("format") == "date-time")
        or (key == "summary" and is_response)
    )


def _stream_as_string(media_type: dict[str, Any]) -> dict[str, Any]:
    examples = {
        name: {"summary": example["summary"], "value": example["serializedValue"]}
        for name, example in media_type["examples"].items()
    }
    description = (
        "Server-Sent Events: see this document's description and the schemas WordEvent, DoneEvent and FailedEvent."
    )
    return {"schema": {"type": "string", "description": description}, "examples": examples}


def main(arguments: list[str]) -> int:
    """Write the derived document, or check it."""
    document = yaml.safe_load(SOURCE.read_text("utf-8"))
    wanted = json.dumps(derive(document), indent=2, ensure_ascii=False) + "\n"
    if arguments != ["--check"]:
        TARGET.write_text(wanted, "utf-8")
        return 0
    present = TARGET.read_text("utf-8") if TARGET.exists() else ""
    name = TARGET.relative_to(ROOT).as_posix()
    diff = difflib.unified_diff(
        present.splitlines(keepends=True), wanted.splitlines(keepends=True), name, f"{name} as openapi.yaml has it"
    )
    sys.stdout.writelines(diff)
    return int(present != wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
