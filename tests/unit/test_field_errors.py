"""Each error of a body says where it is, as a JSON Pointer into what was sent, and what the contract wants there."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from app.http.field_errors import MAX_ERRORS, field_errors
from generated.models import AgUiRunRequest, ChatCompletionRequest, ChatRequest, FieldError, UiChatRequest

_MISSING = "Field required"
_NO_NUL = r"String should match pattern '^[^\u0000]*$'"
_OPENAI = {"messages": [{"role": "user", "content": "hello"}]}


def errors(model: type[BaseModel], body: object) -> list[FieldError]:
    """What is wrong with a body."""
    try:
        model.model_validate(body, strict=True)
    except ValidationError as error:
        return field_errors(error, body, model)
    return []


def told(model: type[BaseModel], body: object) -> list[tuple[str, str]]:
    """The same, as tuples."""
    return [(error.pointer, error.detail) for error in errors(model, body)]


def content(value: object) -> dict[str, Any]:
    """The body of a run with this content in its message."""
    return {"threadId": "a", "runId": "r", "messages": [{"id": "x", "role": "user", "content": value}]}


def resolve(pointer: str, body: object) -> object:
    """What a pointer points to (RFC 6901). Raises `LookupError` if there is nothing."""
    value: Any = body
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name) if isinstance(value, list) else name]
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\0b", [("/messages/0/content", _NO_NUL)]),
        ([{"type": "text", "text": "\0"}], [("/messages/0/content/0/text", _NO_NUL)]),
        (
            [{"type": "text"}, 5, {}],
            [("/messages/0/content/1", "Should be a JSON object."), ("/messages/0/content/2/type", _MISSING)],
        ),
    ],
    ids=["a text", "a part", "no part"],
)
def test_only_the_branch_that_was_meant_has_errors(value: object, expected: list[tuple[str, str]]) -> None:
    """A content may be a text, or have parts: what was sent tells which, and its branch is no part of the place."""
    assert told(AgUiRunRequest, content(value)) == expected


def test_what_fits_no_branch_is_told_what_each_wants() -> None:
    """There is no better one."""
    wanted = ["Input should be a valid string", "Input should be a valid list"]
    assert told(ChatCompletionRequest, _OPENAI | {"stop": 5}) == [("/stop", each) for each in wanted]


def test_a_list_too_long_is_not_told_to_be_a_string() -> None:
    """The first error is what OpenAI's clients show."""
    stop = told(ChatCompletionRequest, _OPENAI | {"stop": ["a"] * 5})
    assert stop == [("/stop", "List should have at most 4 items after validation, not 5")]
    assert told(ChatCompletionRequest, _OPENAI | {"stop": ["a", 5]}) == [("/stop/1", "Input should be a valid string")]


@pytest.mark.parametrize(
    ("model", "field"), [(AgUiRunRequest, "threadId"), (UiChatRequest, "id"), (ChatRequest, "edits")]
)
def test_a_form_is_described_with_the_contracts_words(model: type[BaseModel], field: str) -> None:
    """By the name that the field has in JSON."""
    (detail,) = [detail for pointer, detail in told(model, {field: "a b"}) if pointer == f"/{field}"]
    start, _, described = detail.partition(": ")
    assert start == "Does not have the form that the contract describes"
    assert described.startswith("The id of a ")


def test_a_body_that_is_wrong_throughout_has_some_of_its_errors() -> None:
    """In order, and each is complete."""
    body = content("x") | {"messages": [{"role": "user", "content": "\0"}] * 1000}
    assert told(AgUiRunRequest, body) == [(f"/messages/{n}/content", _NO_NUL) for n in range(MAX_ERRORS)]


_NAMES = st.sampled_from(
    [
        "messages",
        "role",
        "content",
        "parts",
        "type",
        "text",
        "id",
        "threadId",
        "thread_id",
        "runId",
        "stop",
        "n",
        "a~/b",
    ]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["user", "text", "\0", ""]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(_NAMES, values, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_NAMES | st.text(max_size=3), _JSON, max_size=5) | _JSON)
@example(content("\0"))
@example(_OPENAI | {"stop": ["a"] * 5})
def test_each_pointer_points_into_the_body(body: object) -> None:
    """Except for what is missing: that of its object does."""
    for model in (AgUiRunRequest, ChatCompletionRequest, ChatRequest, UiChatRequest):
        for error in errors(model, body):
            pointer = error.pointer.rpartition("/")[0] if error.detail == _MISSING else error.pointer
            resolve(pointer, body)
