"""The contract of exactly this version: a closed copy of the document, without room for later versions.

The document leaves responses and events open, so that today's clients can read tomorrow's servers. What is sent *today*
is checked against this copy, which allows only the described fields, events, problem types and finish reasons.
Requests stay as they are: ours are closed, and another protocol's are open.
"""

import copy
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

Node = dict[str, Any]

_SOURCE = Path(__file__).parent.parent.parent / "openapi.yaml"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, if installed: ten times as fast
_OTHER = "OtherEvent"
_GOOD = ["completed", "cancelled"]
_ONLY_REPLIES = ("reply_id", "state", "words", "finish_reason", "usage", "feedback")


def closed(document: Mapping[str, Any]) -> Node:
    """A copy of a document that describes exactly what may be sent."""
    copied: Node = copy.deepcopy(dict(document))
    schemas: Node = copied["components"]["schemas"]
    del schemas[_OTHER]
    taken = _referenced(copied["components"]["requestBodies"], schemas)
    for name, schema in schemas.items():
        if name not in taken:
            _close(schema)
    _say_when(schemas)
    schemas["FinishedReply"] = _finished(schemas["DoneEvent"]["properties"]["data"]["contentSchema"])
    schemas["DoneEvent"]["properties"]["data"]["contentSchema"] = _reference("FinishedReply")
    return copied


def _referenced(node: object, schemas: Node) -> set[str]:
    """The schemas that a node consists of."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        match waiting.pop():
            case {"$ref": str(reference)} if (name := reference.rpartition("/")[2]) not in found:
                found.add(name)
                waiting.append(schemas[name])
            case dict() as members:
                waiting += members.values()
            case list() as items:
                waiting += items
            case _:
                pass
    return found


def check_shape(name: str, text: str | bytes) -> None:
    """Validate JSON with a named schema of the closed copy. Raises `AssertionError`."""
    try:
        _validator(name).validate(json.loads(text))
    except jsonschema_rs.ValidationError as error:
        raise AssertionError(f"this breaks the contract of a {name}: {error.message}\n{text!r:.300}") from None


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    document = closed(yaml.load(_SOURCE.read_text("utf-8"), Loader=_LOADER))  # noqa: S506 - it is a safe loader
    components = {"components": {"schemas": document["components"]["schemas"]}}
    return jsonschema_rs.Draft202012Validator(_reference(name) | components, validate_formats=True)


def _close(node: object) -> None:
    """Remove what is reserved for later versions."""
    match node:
        case dict():
            if "properties" in node:
                node["additionalProperties"] = False
            node["anyOf"] = [one for one in node.get("anyOf", []) if not _is_for_later(one, node)]
            if not node["anyOf"]:
                del node["anyOf"]
            for name, child in node.items():
                if name not in {"contains", "enum", "examples"}:
                    _close(child)
        case list():
            for child in node:
                _close(child)
        case _:
            pass


def _is_for_later(one: Node, union: Node) -> bool:
    """Whether an alternative stands for something that this version does not have."""
    is_any_other_word = "enum" not in one and any("enum" in other for other in union["anyOf"])
    return is_any_other_word or one == _reference(_OTHER)


def _say_when(schemas: Node) -> None:
    """Express what the descriptions say about when optional fields are present."""
    schemas["Reply"]["allOf"] = [
        _exactly_if("finish_reason", _GOOD),
        _exactly_if("problem", ["failed", "interrupted"]),
    ]
    schemas["Message"] |= {
        "if": {"properties": {"role": {"const": "user"}}},
        "then": {"properties": dict.fromkeys(_ONLY_REPLIES, False)},
        "else": {"required": ["reply_id", "state"], **_exactly_if("finish_reason", _GOOD)},
    }


def _exactly_if(name: str, states: list[str]) -> Node:
    return {
        "if": {"properties": {"state": {"enum": states}}},
        "then": {"required": [name]},
        "else": {"properties": {name: False}},
    }


def _finished(reply: Node) -> Node:
    return {"allOf": [reply, {"properties": {"state": {"enum": _GOOD}}}]}


def _reference(name: str) -> Node:
    return {"$ref": f"#/components/schemas/{name}"}
