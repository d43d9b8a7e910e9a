"""Changes to a released contract that break nobody."""

import copy

from tests.contract.released import Change, Contract, operation, problems, schema


def with_an_operation(contract: Contract) -> None:
    added = copy.deepcopy(operation(contract, "get", "/api/health"))
    contract["paths"]["/api/version"] = {"get": added | {"operationId": "getVersion"}}


def with_an_optional_field_of_a_request(contract: Contract) -> None:
    schema(contract, "ChatRequest")["properties"]["language"] = {"type": "string", "maxLength": 8}


def with_a_condition_on_a_new_field(contract: Contract) -> None:
    body = schema(contract, "ConversationUpdate")
    body["properties"]["pinned"] = {"type": "boolean"}
    body |= {"if": {"required": ["pinned"]}, "then": {"required": ["title"]}, "else": {"required": []}}


def with_a_field_of_a_response(contract: Contract) -> None:
    schema(contract, "Reply")["properties"]["language"] = {"type": "string"}
    schema(contract, "Reply")["required"].append("language")


def with_wider_bounds(contract: Contract) -> None:
    schema(contract, "ChatRequest")["properties"]["user_message"]["maxLength"] *= 2


def with_a_pattern_that_takes_more(contract: Contract) -> None:
    schema(contract, "ReplyId")["pattern"] = "^[0-9a-z][0-9a-z-]{0,63}$"


def with_an_optional_header(contract: Contract) -> None:
    header = {"name": "X-Client", "in": "header", "schema": {"type": "string"}}
    operation(contract, "post", "/api/chat")["parameters"].append(header)


def with_a_status(contract: Contract) -> None:
    operation(contract, "get", "/api/health")["responses"]["503"] = {
        "$ref": "#/components/responses/ServiceUnavailable"
    }


def with_another_text(contract: Contract) -> None:
    schema(contract, "Reply")["description"] = "A reply that has ended."


def with_another_problem(contract: Contract) -> None:
    examples = problems(contract, "Forbidden")
    examples["other"] = copy.deepcopy(examples["site"])
    examples["other"]["value"]["type"] = "urn:problem:not-today"


def with_an_open_response(contract: Contract) -> None:
    del schema(contract, "Usage")["additionalProperties"]


def with_a_word_of_an_open_list(contract: Contract) -> None:
    schema(contract, "FinishReason")["anyOf"][0]["enum"].append("tool_call")


def with_another_known_problem(contract: Contract) -> None:
    schema(contract, "ProblemType")["anyOf"][0]["enum"].append("urn:problem:not-today")


def with_another_event(contract: Contract) -> None:
    schema(contract, "ReplyEvent")["anyOf"].insert(3, {"$ref": "#/components/schemas/PauseEvent"})
    contract["components"]["schemas"]["PauseEvent"] = copy.deepcopy(schema(contract, "OtherEvent"))
    schema(contract, "PauseEvent")["properties"]["event"]["const"] = "pause"


COMPATIBLE: list[Change] = [
    with_an_operation,
    with_an_optional_field_of_a_request,
    with_a_field_of_a_response,
    with_wider_bounds,
    with_a_pattern_that_takes_more,
    with_an_optional_header,
    with_a_status,
    with_another_text,
    with_another_problem,
    with_an_open_response,
    with_a_word_of_an_open_list,
    with_another_known_problem,
    with_another_event,
]
"""Changes that break nothing."""
