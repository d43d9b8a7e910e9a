"""Every example in the document is true: valid against its schema and model, and what the service really sends."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import pytest
from pydantic import TypeAdapter

import generated.models
from app.dialects.openai import OpenAIProblems
from app.main import create_app
from generated.models import FieldError, Problem
from tests.contract.asking import Request, chat, completion, get, patch, run, ui
from tests.contract.document import CLOSED, DOCUMENT, OPERATIONS, PLACES, PROBLEM_TYPE, PROBLEMS
from tests.contract.provocations import Provocation, after, during, fresh
from tests.contract.stage import Stage
from tests.support.agui import check_run
from tests.support.asgi import Client
from tests.support.chunks import check_completion
from tests.support.settings import Settings
from tests.support.stream import Parser, check_stream
from tests.support.ui import check_ui

STREAM = "text/event-stream"
CHECKS: dict[str, Callable[[bytes], object]] = {
    "ReplyStream": check_stream,
    "ChatCompletionStream": check_completion,
    "UiMessageStream": check_ui,
    "AgUiStream": check_run,
}
WITHOUT_SCHEMA = {"application/openmetrics-text", "text/markdown"}
"""No tool can tell whether a text is in one of these formats by a schema."""
ITS_OWN = re.compile("[0-9a-f]{32}|\\b1[0-9]{9}(?:[0-9]{3})?\\b|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")


@dataclass(frozen=True, slots=True)
class Example:
    """A named example of a media type."""

    where: str
    media_type: str
    schema: str | None
    """The name of the component that is its type, if the media type has one."""
    value: Any
    serialized: str | None


def contents() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every `content` in the document, with its place."""
    inline = (
        (f"{operation_id} {status}", response)
        for operation_id, operation in OPERATIONS.items()
        for status, response in operation["responses"].items()
    )
    components = [*DOCUMENT["components"]["requestBodies"].items(), *DOCUMENT["components"]["responses"].items()]
    for name, holder in (*inline, *components):
        if "content" in holder:
            yield name, holder["content"]


def examples() -> Iterator[Example]:
    """Every example of every media type."""
    for where, content in contents():
        for media_type, spec in content.items():
            is_typed = media_type not in WITHOUT_SCHEMA
            schema = spec["schema"]["$ref"].removeprefix("#/components/schemas/") if is_typed else None
            for name, example in spec.get("examples", {}).items():
                value = example["dataValue" if media_type == STREAM else "value"]
                yield Example(f"{where} {name}", media_type, schema, value, example.get("serializedValue"))


EXAMPLES = list(examples())
STREAMS = [example for example in EXAMPLES if example.media_type == STREAM]


def check_schema(schema: Mapping[str, Any], value: object, document: Mapping[str, Any] = DOCUMENT) -> None:
    """Validate a value with a schema of the document."""
    with_components = {**schema, "components": document["components"]}
    jsonschema_rs.Draft202012Validator(with_components, validate_formats=True).validate(value)


def nodes(node: object) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from nodes(child)


def test_every_content_has_an_example() -> None:
    """Otherwise the tests below would check nothing."""
    assert all(
        spec.get("examples") or media_type in WITHOUT_SCHEMA
        for _, content in contents()
        for media_type, spec in content.items()
    )
    assert len(STREAMS) >= 2


@pytest.mark.parametrize(
    "example", [example for example in EXAMPLES if example.schema], ids=lambda example: example.where
)
def test_an_example_is_valid(example: Example) -> None:
    """Against the schema, open and closed, and against the generated model."""
    for document in (DOCUMENT, CLOSED):
        check_schema({"$ref": f"#/components/schemas/{example.schema}"}, example.value, document)
    model = TypeAdapter(getattr(generated.models, str(example.schema)))
    model.validate_json(json.dumps(example.value), strict=True)


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
    """`serializedValue` follows the grammar, and an SSE parser gets `dataValue` from it."""
    assert example.serialized
    CHECKS[str(example.schema)](example.serialized.encode())
    parser = Parser()
    read = parser.feed(example.serialized.encode())
    assert [
        {key: value for key, value in (("event", event.name), ("id", event.id), ("data", event.data)) if value}
        for event in read
    ] == [{"event": "message", **event} for event in example.value]


@pytest.mark.parametrize(
    ("name", "bot", "asked"),
    [
        ("hello", "greeter", chat("hello")),
        ("failure", "simulator", chat("/simulate fail_after=1\nHi there!")),
        ("completion", "greeter", completion("hello")),
        ("completion_failure", "simulator", completion("/simulate fail_after=1\nHi there!")),
        ("ui_hello", "greeter", ui("hello")),
        ("ui_failure", "simulator", ui("/simulate fail_after=1\nHi there!")),
        ("run_hello", "greeter", run("hello")),
        ("run_failure", "simulator", run("/simulate fail_after=1\nHi there!")),
    ],
    ids=["hello", "failure", "completion", "completion_failure", "ui_hello", "ui_failure", "run_hello", "run_failure"],
)
async def test_a_stream_is_what_the_service_sends(name: str, bot: str, asked: Request) -> None:
    """Byte for byte, except for the ids."""
    example = next(example for example in STREAMS if example.where.endswith(f" {name}"))
    settings = Settings.model_validate({"bot": bot, "greeter_pace_ms": 0})
    async with Client(create_app(settings)) as client:
        sent = await client.request(asked.method, asked.path, content=asked.content.encode(), headers=asked.headers)
    assert ITS_OWN.sub("<its own>", sent.content.decode()) == ITS_OWN.sub("<its own>", example.serialized or "")


HELLO = chat("hello")
REPLY = "/api/replies/{reply_id}"
GREETER: dict[str, Any] = {"bot": "greeter", "greeter_pace_ms": 0}
BODIES = {
    "createReply 200 hello": after(HELLO, HELLO.finished(), **GREETER),
    "getReply 200 completed": after(HELLO, get(REPLY), **GREETER),
    "getReply 200 running": during(get(REPLY), text="/simulate stall_after=3\nHi there! How can"),
    "getReply 200 failed": after(chat("/simulate fail_after=1\nHi there!"), get(REPLY)),
    "listConversations 200 one": after(HELLO, get("/api/conversations"), **GREETER),
    "listConversations 200 found": after(HELLO, get("/api/conversations?search=help"), **GREETER),
    "getConversation 200 hello": after(HELLO, get("/api/conversations/{conversation_id}"), **GREETER),
    "ChatCompletion hello": after(HELLO, completion("hello").unstreamed(), **GREETER),
    "listModels 200 one": after(HELLO, get("/v1/models"), **GREETER),
    "updateConversation 200 renamed": after(
        HELLO, patch("/api/conversations/{conversation_id}", '{"title": "Small talk"}'), **GREETER
    ),
    "exportConversation 200 hello": after(HELLO, get("/api/conversations/{conversation_id}/export"), **GREETER),
    "exportConversationAsMarkdown 200 hello": after(
        HELLO, get("/api/conversations/{conversation_id}/markdown"), **GREETER
    ),
    "getService 200 greeter": fresh(get("/api/service"), **GREETER),
    "getService 200 openai": fresh(
        get("/api/service"),
        bot="openai",
        openai_base_url="http://127.0.0.1:1/v1",
        openai_model="Qwen/Qwen3-8B",
        name="Helpdesk",
        bot_titles=True,
    ),
    "getHealth 200 up": after(HELLO, get("/api/health"), **GREETER),
    "getReadiness 200 ready": after(HELLO, get("/api/ready"), **GREETER),
}


@pytest.mark.parametrize("where", BODIES)
async def test_a_body_is_what_the_service_sends(where: str) -> None:
    """The same value, except for ids and times."""
    example = next(example for example in EXAMPLES if example.where == where)
    provocation: Provocation = BODIES[where]
    with Stage() as stage:
        async with provocation.situation(stage) as ask:
            sent = await ask(provocation.asked)
    said = sent.json() if example.media_type == "application/json" else sent.content.decode()
    assert ITS_OWN.sub("<its own>", repr(said)) == ITS_OWN.sub("<its own>", repr(example.value))


def test_every_body_of_a_good_answer_is_compared() -> None:
    """Or is a stream."""
    by_its_body = {"ChatCompletion hello"}
    good = {example.where for example in EXAMPLES if " 200 " in example.where and example.schema != "Metrics"}
    assert good | by_its_body == BODIES.keys()


ERRORS = [example for example in EXAMPLES if example.schema == "OpenAIErrorResponse"]


@pytest.mark.parametrize("example", ERRORS, ids=lambda example: example.where)
def test_an_error_of_openai_is_the_problem_of_its_code(example: Example) -> None:
    """In the words that the service gives it."""
    error = example.value["error"]
    problem = Problem.model_validate(PROBLEMS[error["code"]])
    if error["param"]:
        place, detail = f"/{error['param']}", error["message"].partition(": ")[2]
        problem = problem.model_copy(update={"errors": [FieldError(pointer=place, detail=detail)]})
    said = OpenAIProblems(PROBLEMS, PLACES["createChatCompletion"][1]).text(problem)
    assert json.loads(said) == example.value


def test_every_problem_has_one_example() -> None:
    """The service sends the example; `test_statuses` provokes each of them."""
    types = [example.value["type"] for example in EXAMPLES if example.media_type == PROBLEM_TYPE]
    assert len(types) == len(set(types))


def test_the_table_of_problems_the_examples_and_the_known_types_are_one_list() -> None:
    """In the same order: by status."""
    table = re.findall(
        r"^\| `([a-z-]+)` \| ([0-9]{3}) \| (yes|no) \| .+\. \|$", DOCUMENT["info"]["description"], re.MULTILINE
    )
    known, any_other = DOCUMENT["components"]["schemas"]["ProblemType"]["anyOf"]
    assert known["enum"] == [f"urn:problem:{code}" for code, _, _ in table]
    assert "enum" not in any_other
    assert table == [
        (code, str(problem["status"]), "yes" if problem["retryable"] else "no") for code, problem in PROBLEMS.items()
    ]
