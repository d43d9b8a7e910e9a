"""Each link of the document is followed once, as a program would that has nothing but the document.

The fuzzing follows them too, in walks of its own.
"""

import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from app.main import create_app
from tests.contract.document import DOCUMENT, LINKS, PLACES, STATUSES, check_response, resolved
from tests.support.asgi import Client, Whole
from tests.support.settings import Settings

EXPRESSION = re.compile(r"\{?\$(request\.path|response\.header|response\.body)[.#/]+([A-Za-z_-]+)\}?")
GONE = ("deleteConversation", "getConversation")
"""Of all links, the one to what is there no more."""


def parameters_of(operation_id: str) -> dict[str, dict[str, Any]]:
    """The parameters of an operation, by name."""
    method, path = PLACES[operation_id]
    item = DOCUMENT["paths"][path]
    parameters = [*item.get("parameters", []), *item[method.lower()].get("parameters", [])]
    return {spec["name"]: spec for spec in (resolved(parameter) for parameter in parameters)}


def values(templates: Mapping[str, str], ids: Mapping[str, str], answer: Whole) -> dict[str, str]:
    """What a link hands on from the request, and from its answer."""

    def value(match: re.Match[str]) -> str:
        match match[1]:
            case "request.path":
                return ids[match[2]]
            case "response.header":
                return answer.headers[match[2].lower()]
            case _:
                return str(answer.json()[match[2]])

    return {name: EXPRESSION.sub(value, template) for name, template in templates.items()}


async def send(client: Client, operation_id: str, given: Mapping[str, str], body: Mapping[str, str]) -> Whole:
    """Call an operation with what its parameters are given."""
    method, path = PLACES[operation_id]
    headers = {
        name: given[name]
        for name, spec in parameters_of(operation_id).items()
        if spec["in"] == "header" and name in given
    }
    content = json.dumps(body).encode() if method == "POST" else b""
    if content:
        headers["content-type"] = "application/json"
    return await client.request(method, path.format(**given), content=content, headers=headers)


@pytest.mark.parametrize(
    ("source", "link"), [pytest.param(source, link, id=f"{source} {name}") for source, name, link in LINKS]
)
async def test_a_link_leads_where_it_says(source: str, link: dict[str, Any]) -> None:
    """It has all that its target needs, and gets there."""
    target = link["operationId"]
    needed = {name for name, spec in parameters_of(target).items() if spec.get("required")}
    assert needed <= link.get("parameters", {}).keys() <= parameters_of(target).keys()
    async with Client(create_app(Settings(greeter_pace_ms=0))) as client:
        hello = await send(client, "streamChat", {}, {"user_message": "hello"})
        ids = {name: hello.headers[name.replace("_", "-")] for name in ("reply_id", "conversation_id")}
        answer = hello if source == "streamChat" else await send(client, source, ids, {})
        assert answer.status == min(STATUSES[source])
        given = values(link.get("parameters", {}), ids, answer)
        reached = await send(client, target, given, values(link.get("requestBody", {}), ids, answer))
    assert reached.status == (404 if (source, target) == GONE else min(STATUSES[target])), reached.content
    check_response(reached, target)


def test_the_links_make_the_walk_that_the_service_is_for() -> None:
    """A message, its reply, its conversation, the next message, and the end of it all."""
    steps = {(source, link["operationId"]) for source, _, link in LINKS}
    walk = ["streamChat", "streamReply", "getConversation", "streamChat", "cancelReply", "streamReply"]
    walk += ["deleteConversation", "getConversation"]
    assert set(itertools.pairwise(walk)) <= steps
