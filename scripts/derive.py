"""Derives `generated/openapi-3.1.json` from `openapi.yaml`, for SDK generators and viewers that refuse OpenAPI 3.2.

3.1 has no word for a stream: there, the stream is a string, with the readable form as its example, and ReplyStream, its
schema as a whole, is left out. (swagger-typescript-api would take it for the response of that name.) Some things
are said in other words, because SDKs are made of this document:

- `HEAD` is left out. It is `GET` without the body, which every HTTP client can send; as operations of their own, these
  would double the functions of each SDK.
- An enum that later versions may extend (`anyOf` of an enum and a string) is a plain string: generators make a wrapper
  object of such an `anyOf`, or lose its value. The present problem types are a schema of their own, KnownProblemType.
  (A KnownFinishReason would keep openapi-generator's client for Go from compiling: ReplyState has `cancelled`, too.)
- A property has no `default`: openapi-typescript takes that for "required". Its description says it.
- Request bodies stand where they are used: of a reference, swagger-typescript-api does not see the content type.

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

_KNOWN = {"ProblemType": "KnownProblemType"}


def derive(document: dict[str, Any]) -> dict[str, Any]:
    """The same contract in the words that 3.1 has."""
    derived: dict[str, Any] = _without_news(document)
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
    if key == "links":  # openapi-generator takes nothing but a string for the body of one, against 3.1
        value = {name: {key: link[key] for key in link if key != "requestBody"} for name, link in value.items()}
    return _without_news(value)


def _is_news(key: str, node: dict[str, Any]) -> bool:
    """Whether a member is 3.2's, or one that many tools for 3.1 trip over.

    A Response Object is known by what it has; its `summary` is new. PCRE, Go and Rust refuse ECMA-262's escapes in a
    pattern; the server checks such a pattern all the same. openapi-generator's client for PHP compares a pattern beside
    `date-time` with an object, and refuses each time. Generators make nothing of `contentSchema`.
    """
    is_response = "description" in node and ("content" in node or "headers" in node)
    is_pattern_of_ecma = key == "pattern" and isinstance(node[key], str) and "\\u" in node[key]
    return (
        key in {"itemSchema", "contentSchema", "contentMediaType"}
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
