"""Each link of the document is followed once, by a program that knows nothing but the document.

The fuzzer also follows them, in walks of its own.
"""

import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from app.main import create_app
from tests.contract.document import DOCUMENT, LINKS, OPERATIONS, PLACES, STATUSES, body_of, check_response, resolved
from tests.support.asgi import Client, Whole
from tests.support.settings import Settings

EXPRESSION = re.compile(r"\{?\$(request\.path\.|response\.header\.|response\.body#/)([A-Za-z0-9_/-]+)\}?")
GONE = ("deleteConversation", "getConversation")
"""The only link to something that no longer exists."""
MESSAGE = {"user_message": "hello"}
SENDING = ("streamChat", "createReply")


def parameters_of(operation_id: str) -> dict[str, dict[str, Any]]:
    """The parameters of an operation, by name."""
    path_item = DOCUMENT["paths"][PLACES[operation_id][1]]
    parameters = [*path_item.get("parameters", []), *OPERATIONS[operation_id].get("parameters", [])]
    return {spec["name"]: spec for spec in (resolved(parameter) for parameter in parameters)}


def values(templates: Mapping[str, str], ids: Mapping[str, str], answer: Whole) -> dict[str, str]:
    """The values that a link takes from the request and the response."""

    def value(match: re.Match[str]) -> str:
        match match[1]:
            case "request.path.":
                return ids[match[2]]
            case "response.header.":
                return answer.headers[match[2].lower()]
            case _:
                found = answer.json()
                for part in match[2].split("/"):
                    found = found[int(part) if isinstance(found, list) else part]
                return str(found)

    return {name: EXPRESSION.sub(value, template) for name, template in templates.items()}


async def send(client: Client, operation_id: str, given: Mapping[str, str], body: Mapping[str, str]) -> Whole:
    """Call an operation with these values of its parameters."""
    method, path = PLACES[operation_id]
    headers = {
        name: given[name]
        for name, spec in parameters_of(operation_id).items()
        if spec["in"] == "header" and name in given
    }
    content = json.dumps(body).encode() if "requestBody" in OPERATIONS[operation_id] else b""
    if content:
        headers["content-type"] = "application/json"
    return await client.request(method, path.format(**given), content=content, headers=headers)


@pytest.mark.parametrize(
    ("source", "link"), [pytest.param(source, link, id=f"{source} {name}") for source, name, link in LINKS]
)
async def test_a_link_leads_where_it_says(source: str, link: dict[str, Any]) -> None:
    """It has everything that its target needs, and works."""
    target = link["operationId"]
    needed = {name for name, spec in parameters_of(target).items() if spec.get("required")}
    assert needed <= link.get("parameters", {}).keys() <= parameters_of(target).keys()
    async with Client(create_app(Settings(greeter_pace_ms=0))) as client:
        hello = await send(client, source if source == "createReply" else "streamChat", {}, MESSAGE)
        ids = {name: hello.headers[name.replace("_", "-")] for name in ("reply_id", "conversation_id")}
        answer = hello if source in SENDING else await send(client, source, ids, json.loads(body_of(source) or b"{}"))
        assert answer.status == min(STATUSES[source])
        given = values(link.get("parameters", {}), ids, answer)
        reached = await send(client, target, given, values(link.get("requestBody", {}), ids, answer))
    assert reached.status == (404 if (source, target) == GONE else min(STATUSES[target])), reached.content
    check_response(reached, target)


@pytest.mark.parametrize(
    "walk",
    [
        "streamChat streamReply getConversation createReply cancelReply getReply streamReply",
        "createReply createReply getConversation deleteConversation getConversation",
        "streamChat streamChat getReply streamReply cancelReply getReply",
    ],
)
def test_the_links_make_the_walks_that_the_service_is_for(walk: str) -> None:
    """A message, its reply, its conversation, the next message, and the deletion."""
    steps = {(source, link["operationId"]) for source, _, link in LINKS}
    assert set(itertools.pairwise(walk.split())) <= steps
