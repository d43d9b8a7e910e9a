"""A released contract, changes to it, and what `scripts.contract` must report for each."""

import copy
from collections.abc import Callable
from typing import Any

from tests.contract.document import DOCUMENT

Contract = dict[str, Any]
Change = Callable[[Contract], None]

RELEASED: Contract = copy.deepcopy(DOCUMENT)
"""Today's contract, plus what it does not have: a request field with an enum, an open request, and a closed
response."""
_request: Contract = RELEASED["components"]["schemas"]["ChatRequest"]
_request["properties"]["mood"] = {"type": "string", "enum": ["kind", "stern"]}
del _request["additionalProperties"]
RELEASED["components"]["schemas"]["Usage"]["additionalProperties"] = False


def changed(*changes: Change, version: str = DOCUMENT["info"]["version"]) -> Contract:
    """The released contract with these changes."""
    contract = copy.deepcopy(RELEASED)
    contract["info"]["version"] = version
    for change in changes:
        change(contract)
    return contract


def schema(contract: Contract, name: str) -> Contract:
    schema: Contract = contract["components"]["schemas"][name]
    return schema


def operation(contract: Contract, method: str, path: str) -> Contract:
    operation: Contract = contract["paths"][path][method]
    return operation


def _stream(contract: Contract) -> Contract:
    stream: Contract = contract["components"]["responses"]["ReplyStream"]["content"]["text/event-stream"]
    return stream


def problems(contract: Contract, response: str) -> Contract:
    examples: Contract = contract["components"]["responses"][response]["content"]["application/problem+json"][
        "examples"
    ]
    return examples


def without_an_operation(contract: Contract) -> None:
    del contract["paths"]["/api/conversations/{conversation_id}"]["delete"]


def with_a_new_required_field(contract: Contract) -> None:
    request = schema(contract, "ChatRequest")
    request["required"] = [*request.get("required", ()), "language"]
    request["properties"]["language"] = {"type": "string"}


def without_a_word_of_a_request(contract: Contract) -> None:
    schema(contract, "ChatRequest")["properties"]["mood"]["enum"] = ["kind"]


def with_a_new_word_of_a_response(contract: Contract) -> None:
    schema(contract, "Message")["properties"]["role"]["enum"].append("tool")


def without_a_field_of_a_response(contract: Contract) -> None:
    del schema(contract, "Reply")["properties"]["usage"]


def without_a_required_field_of_a_response(contract: Contract) -> None:
    schema(contract, "Reply")["required"].remove("words")


def without_a_word_of_a_response(contract: Contract) -> None:
    schema(contract, "ReplyState")["enum"].remove("interrupted")


def without_a_known_word_of_an_open_list(contract: Contract) -> None:
    schema(contract, "FinishReason")["anyOf"][0]["enum"].remove("abandoned")


def with_a_closed_request(contract: Contract) -> None:
    schema(contract, "ChatRequest")["additionalProperties"] = False


def without_a_field_of_a_request(contract: Contract) -> None:
    del schema(contract, "ChatRequest")["properties"]["conversation_id"]


def without_head(contract: Contract) -> None:
    del contract["paths"]["/api/health"]["head"]


def without_a_status(contract: Contract) -> None:
    del operation(contract, "post", "/api/chat")["responses"]["409"]


def with_a_renamed_event(contract: Contract) -> None:
    schema(contract, "DoneEvent")["properties"]["event"]["const"] = "end"


def with_an_event_without_data(contract: Contract) -> None:
    del schema(contract, "FailedEvent")["properties"]["data"]
    schema(contract, "FailedEvent")["required"].remove("data")


def with_narrower_bounds(contract: Contract) -> None:
    contract["components"]["parameters"]["Limit"]["schema"]["maximum"] = 50


def with_a_pattern_that_takes_less(contract: Contract) -> None:
    schema(contract, "ReplyId")["pattern"] = "^[0-9a-e]{32}$"


def with_a_new_required_header(contract: Contract) -> None:
    header = {"name": "X-Client", "in": "header", "required": True, "schema": {"type": "string"}}
    operation(contract, "post", "/api/chat")["parameters"].append(header)


def with_access_for_some_only(contract: Contract) -> None:
    operation(contract, "get", "/api/health")["security"] = [{"token": []}]


def without_json(contract: Contract) -> None:
    response = operation(contract, "get", "/api/replies/{reply_id}")["responses"]["200"]
    response["content"] = {"text/plain": {"schema": {"type": "string"}}}


def with_another_operation_id(contract: Contract) -> None:
    operation(contract, "get", "/api/ready")["operationId"] = "isReady"


def with_a_word_of_another_form(contract: Contract) -> None:
    schema(contract, "ProblemType")["anyOf"][0]["enum"].append("https://problems.example/busy")


BREAKING: dict[Change, str] = {
    without_an_operation: "Operation `DELETE /api/conversations/{conversation_id}` was removed.",
    with_a_new_required_field: "Properties of `ChatRequest` became required: `language`.",
    without_a_word_of_a_request: "Enum of `mood` lost values: 'stern'.",
    with_a_new_word_of_a_response: "Enum of `role` gained values: 'tool'.",
    without_a_field_of_a_response: "Property `usage` of `Reply` was removed.",
    without_a_required_field_of_a_response: "Properties of `Reply` are no longer required: `words`.",
    without_a_word_of_a_response: "Enum of `state` lost values: 'interrupted'.",
    without_a_known_word_of_an_open_list: "Enum of `finish_reason` lost values: 'abandoned'.",
    with_a_word_of_another_form: "Enum gained values: 'https://problems.example/busy'.",
    with_a_closed_request: "`additionalProperties` of `ChatRequest` was set to 'false'.",
    without_a_field_of_a_request: "Property `conversation_id` of `ChatRequest` was removed.",
    without_head: "Operation `HEAD /api/health` was removed.",
    without_a_status: "Response `409` was removed.",
    with_a_renamed_event: "`const` of `event` changed from 'done' to 'end'.",
    with_an_event_without_data: "Property `data` of `FailedEvent` was removed.",
    with_a_pattern_that_takes_less: "`pattern` of `ReplyId` changed from '^[0-9a-f]{32}$' to '^[0-9a-e]{32}$'.",
    with_narrower_bounds: "Upper bound changed from '<= 100' to '<= 50'.",
    with_a_new_required_header: "Required `X-Client` header parameter was added.",
    with_access_for_some_only: "Authentication became required.",
    without_json: "Media type `application/json` was removed.",
    with_another_operation_id: "`operationId` of operation `GET /api/ready` changed from 'getReadiness' to 'isReady'.",
}
"""What `redocly diff` finds, and what it finds harmless although it is not."""


def without_an_event(contract: Contract) -> None:
    schema(contract, "ReplyEvent")["anyOf"].remove({"$ref": "#/components/schemas/FailedEvent"})


def with_two_ends(contract: Contract) -> None:
    schema(contract, "ReplyStream")["maxContains"] = 2


def without_types_of_events(contract: Contract) -> None:
    del _stream(contract)["itemSchema"]


def without_a_type_of_the_stream(contract: Contract) -> None:
    del _stream(contract)["schema"]


def with_a_header_that_may_be_missing(contract: Contract) -> None:
    contract["components"]["headers"]["StreamLocation"]["required"] = False


def without_a_way_to_be_let_in(contract: Contract) -> None:
    contract["security"].remove({"token": []})


def with_another_default(contract: Contract) -> None:
    contract["components"]["parameters"]["Limit"]["schema"]["default"] = 10


def without_a_problem(contract: Contract) -> None:
    del problems(contract, "NotFound")["reply"]


def with_a_problem_that_is_worth_no_retry(contract: Contract) -> None:
    problems(contract, "Conflict")["busy"]["value"]["retryable"] = False


OVERLOOKED: dict[Change, tuple[str, str]] = {
    without_an_event: ("POST /api/chat 200", "The event `failed` was removed from the stream."),
    with_two_ends: ("POST /api/chat 200", "`maxContains` of the stream as a whole changed."),
    without_types_of_events: ("POST /api/chat 200", "`text/event-stream` lost its `itemSchema`."),
    without_a_type_of_the_stream: ("POST /api/chat 200", "`text/event-stream` lost its `schema`."),
    with_a_header_that_may_be_missing: ("POST /api/chat 200", "The header `Content-Location` is no longer required."),
    without_a_way_to_be_let_in: ("GET /api/conversations", "`token` is no longer accepted."),
    with_another_default: (
        "GET /api/conversations",
        "The default of the parameter `query limit` changed from '20' to '10'.",
    ),
    without_a_problem: ("Problems", "The problem `urn:problem:reply-not-found` was removed."),
    with_a_problem_that_is_worth_no_retry: (
        "Problems",
        "`retryable` of the problem `urn:problem:conversation-busy` changed from 'True' to 'False'.",
    ),
}
"""What it misses."""
