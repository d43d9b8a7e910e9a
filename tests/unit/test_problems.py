"""Problems: every error has one, its text is the contract's, and nothing else ever gets into it."""

from collections.abc import Iterator

import pytest

from app.chat.errors import ChatError, ConversationBusy, Draining, MessageRefused
from app.contract import Contract
from app.http.problems import Problems, RequestError
from generated.models import FieldError, Problem

_CONTRACT = Contract.load()
_PROBLEMS = Problems(_CONTRACT.problems, _CONTRACT.reference("streamChat", to="getReply"))
_SECRET = "what-nobody-may-see"  # noqa: S105 - not a password


def _kinds(error: type[ChatError]) -> Iterator[type[ChatError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _an_error(kind: type[ChatError]) -> ChatError:
    if kind is MessageRefused:
        return MessageRefused("It rhymes.")
    return ConversationBusy("5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0") if kind is ConversationBusy else kind()


@pytest.mark.parametrize("kind", list(_kinds(ChatError)), ids=lambda kind: kind.__name__)
def test_every_error_of_the_domain_has_its_problem(kind: type[ChatError]) -> None:
    """Found by its code; the status in the body is the response's."""
    error = _an_error(kind)
    problem = _PROBLEMS.of(error)
    assert problem.type == f"urn:problem:{error.code}"
    response = _PROBLEMS.response(error)
    assert response.status_code == problem.status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert Problem.model_validate_json(bytes(response.body)) == problem


def test_errors_that_pass_say_when_to_try_again() -> None:
    """In whole seconds, as in Retry-After; if unknown, not at all."""
    assert int(_PROBLEMS.response(Draining()).headers["retry-after"]) >= 1
    assert "retry-after" not in _PROBLEMS.response(RequestError("malformed-body")).headers


@pytest.mark.parametrize("error", [ValueError(_SECRET), KeyError(_SECRET), ExceptionGroup(_SECRET, [OSError(_SECRET)])])
def test_an_unknown_error_is_told_as_a_defect_and_nothing_of_it(error: Exception) -> None:
    """Its text may contain a key, a path or text of a user."""
    response = _PROBLEMS.response(error)
    assert response.status_code == 500
    assert _PROBLEMS.of(error).type == "urn:problem:internal"
    assert _SECRET.encode() not in bytes(response.body)


def test_a_refused_request_says_where_it_is_wrong() -> None:
    """In `errors`, and only there: everything else is the contract's."""
    errors = [FieldError(pointer="/user_message", detail="Field required")]
    problem = _PROBLEMS.of(RequestError("invalid-body", errors=errors))
    assert problem.errors == errors
    example = _CONTRACT.problems["invalid-body"]
    assert problem.model_dump() | {"errors": None} == dict(example) | {"errors": None}


def test_what_one_problem_says_does_not_stay_for_the_next() -> None:
    """They are created from one table, which nobody may modify."""
    _PROBLEMS.of(RequestError("invalid-body", errors=[FieldError(pointer="/a", detail="b")]))
    assert _PROBLEMS.of(RequestError("invalid-body")) == Problem.model_validate(_CONTRACT.problems["invalid-body"])


def test_a_refusal_has_headers_of_its_own() -> None:
    """Such as Allow, or that the connection is closed."""
    assert (
        _PROBLEMS.response(RequestError("body-too-large", headers={"Connection": "close"})).headers["connection"]
        == "close"
    )


def test_a_contract_that_lacks_a_problem_is_refused_at_the_start() -> None:
    """And not when the error occurs."""
    lacking = {code: problem for code, problem in _CONTRACT.problems.items() if code != "draining"}
    with pytest.raises(LookupError, match="draining"):
        Problems(lacking, _CONTRACT.reference("streamChat", to="getReply"))


def test_the_types_of_all_problems_differ() -> None:
    """A client branches on them."""
    types = [problem["type"] for problem in _CONTRACT.problems.values()]
    assert len(types) == len(set(types))
