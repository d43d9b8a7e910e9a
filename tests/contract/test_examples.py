"""Every example of the document is true: valid against its schema and its model, and what the service really says."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import pytest
from pydantic import TypeAdapter

import generated.models
from app.main import create_app
from tests.contract.document import DOCUMENT, METHODS, PROBLEM_TYPE
from tests.support.asgi import Client
from tests.support.settings import Settings
from tests.support.stream import Parser, check_stream

STREAM = "text/event-stream"
ITS_OWN = re.compile("[0-9a-f]{32}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")


@dataclass(frozen=True, slots=True)
class Example:
    """One named example of a media type."""

    where: str
    media_type: str
    schema: str
    """The name of the component that types it."""
    value: Any
    serialized: str | None


def contents() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each `content` of the document, and where it is."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & item.keys():
            operation = item[method]
            if "requestBody" in operation:
                yield f"{method} {path}", operation["requestBody"]["content"]
            for status, response in operation["responses"].items():
                if "content" in response:
                    yield f"{method} {path} {status}", response["content"]
    for name, response in DOCUMENT["components"]["responses"].items():
        yield name, response["content"]


def examples() -> Iterator[Example]:
    """Each example of each media type."""
    for where, content in contents():
        for media_type, spec in content.items():
            schema = spec["schema"]["$ref"].removeprefix("#/components/schemas/")
            for name, example in spec["examples"].items():
                serialized = example.get("serializedValue")
                yield Example(f"{where} {media_type} {name}", media_type, schema, example["dataValue"], serialized)


EXAMPLES = list(examples())
STREAMS = [example for example in EXAMPLES if example.media_type == STREAM]
SCHEMAS = DOCUMENT["components"]["schemas"]


def check_schema(schema: Mapping[str, Any], value: object) -> None:
    """Hold a value against a schema of the document."""
    with_components = {**schema, "components": {"schemas": SCHEMAS}}
    jsonschema_rs.Draft202012Validator(with_components, validate_formats=True).validate(value)


def nodes(node: object) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from nodes(child)


def test_every_content_has_an_example() -> None:
    """Else the tests below would have nothing to say about it."""
    assert all(spec.get("examples") for _, content in contents() for spec in content.values())
    assert len(STREAMS) >= 2


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.where)
def test_an_example_is_valid(example: Example) -> None:
    """Against the schema of the document, and against the model that is generated from it."""
    check_schema({"$ref": f"#/components/schemas/{example.schema}"}, example.value)
    value = example.value
    if example.media_type == STREAM:
        value = [{"event": "message", **event} for event in value]  # its default; pydantic wants it spelled out
    TypeAdapter(getattr(generated.models, example.schema)).validate_json(json.dumps(value), strict=True)


def test_every_schema_accepts_its_own_examples() -> None:
    """`examples` of a schema, and `example` of a header."""
    found = 0
    for node in nodes(DOCUMENT):
        if isinstance(node.get("examples"), list):
            for value in node["examples"]:
                check_schema(node, value)
                found += 1
        if "example" in node and "schema" in node:
            check_schema(node["schema"], node["example"])
            found += 1
    assert found >= 5


@pytest.mark.parametrize("example", STREAMS, ids=lambda example: example.where)
def test_a_stream_on_the_wire_is_the_stream_as_data(example: Example) -> None:
    """`serializedValue` keeps the grammar, and an SSE parser reads `dataValue` in it."""
    assert example.serialized
    check_stream(example.serialized.encode())
    parser = Parser()
    read = parser.feed(example.serialized.encode())
    assert [
        {key: value for key, value in (("event", event.name), ("id", event.id), ("data", event.data)) if value}
        for event in read
    ] == [{"event": "message", **event} for event in example.value]


@pytest.mark.parametrize(
    ("name", "bot", "message"),
    [("hello", "greeter", "hello"), ("failure", "simulator", "/simulate fail_after=1\nHi there!")],
)
async def test_a_stream_is_what_the_service_sends(name: str, bot: str, message: str) -> None:
    """To the byte, but for the ids, which are its own."""
    example = next(example for example in STREAMS if example.where.endswith(f" {name}"))
    settings = Settings.model_validate({"bot": bot, "greeter_pace_ms": 0})
    async with Client(create_app(settings)) as client:
        sent = await client.request("POST", "/api/chat", json={"user_message": message})
    assert ITS_OWN.sub("<its own>", sent.content.decode()) == ITS_OWN.sub("<its own>", example.serialized or "")


BODIES = {
    "ReplyStarted application/json hello": ("GET", "/api/replies/{reply_id}"),
    "get /api/conversations 200 application/json one": ("GET", "/api/conversations"),
    "get /api/conversations/{conversation_id} 200 application/json hello": (
        "GET",
        "/api/conversations/{conversation_id}",
    ),
    "get /api/health 200 application/json up": ("GET", "/api/health"),
    "get /api/ready 200 application/json ready": ("GET", "/api/ready"),
}


@pytest.mark.parametrize("where", BODIES)
async def test_a_body_is_what_the_service_sends(where: str) -> None:
    """To one who has said hello before; the value, but for ids and times."""
    example = next(example for example in EXAMPLES if example.where == where)
    method, path = BODIES[where]
    headers = {"accept": "application/json"}
    async with Client(create_app(Settings(greeter_pace_ms=0))) as client:
        hello = await client.request("POST", "/api/chat", json={"user_message": "hello"}, headers=headers)
        assert hello.status == 200
        sent = await client.request(method, path.format(**hello.json()), headers=headers)
    assert ITS_OWN.sub("<its own>", repr(sent.json())) == ITS_OWN.sub("<its own>", repr(example.value))


def test_every_body_of_a_good_answer_is_compared() -> None:
    """Or is a stream, or a request's."""
    good = {
        example.where
        for example in EXAMPLES
        if example.media_type == "application/json" and not example.where.startswith("post ")
    }
    assert good == BODIES.keys()


def test_every_problem_has_one_example() -> None:
    """What the service says about an error is the example; `test_statuses` sees each of them sent."""
    types = [example.value["type"] for example in EXAMPLES if example.media_type == PROBLEM_TYPE]
    assert len(types) == len(set(types))
