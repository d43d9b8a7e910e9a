"""A client that accepts what an operation returns is served; any other learns which operation to use instead.

RFC 9110, section 12.5.1.
"""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.document import DOCUMENT, OPERATIONS, check_response, resolved
from tests.contract.known import Known, check_refusal, something_known
from tests.support.server import LiveServer

STREAM, JSON = "text/event-stream", "application/json"
GIVES = {"streamChat": STREAM, "streamReply": STREAM, "createReply": JSON, "getReply": JSON}
OF_TWO = {"createChatCompletion", "getMetrics"}
"""The body asks for one; Prometheus asks for one, and takes either."""
CODES = {STREAM: "stream-only", JSON: "json-only"}

EITHER = {STREAM, JSON}
ACCEPTED: dict[str, tuple[list[str], set[str]]] = {
    "says nothing": ([], EITHER),
    "says nothing, at length": ([""], EITHER),
    "curl, fetch": (["*/*"], EITHER),
    "EventSource, fetch-event-source": (["text/event-stream"], {STREAM}),
    "in other letters": (["Text/Event-Stream"], {STREAM}),
    "any text": (["text/*"], {STREAM}),
    "a client of JSON": (["application/json"], {JSON}),
    "any application": (["application/*"], {JSON}),
    "axios": (["application/json, text/plain, */*"], EITHER),
    "jQuery": (["application/json, text/javascript, */*; q=0.01"], EITHER),
    "a browser": (["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], EITHER),
    "both": (["text/event-stream, application/json"], EITHER),
    "both, rather JSON": (["text/event-stream;q=0.4, application/json;q=0.5"], EITHER),
    "rather anything else": (["application/json;q=0.1, */*"], EITHER),
    "anything but a stream": (["*/*, text/event-stream;q=0"], {JSON}),
    "anything but JSON": (["application/json;q=0, */*"], {STREAM}),
    "any text but a stream": (["text/*, text/event-stream;q=0, application/json;q=0.001"], {JSON}),
    "with a parameter": (["application/json;charset=utf-8"], {JSON}),
    "with much space": ([" application/json \t; \t q=1.0 "], {JSON}),
    "with empty places": ([",, application/json ,,"], {JSON}),
    "in two lines": (["text/html", "application/json"], {JSON}),
    "in two lines, rather the second": (["text/event-stream;q=0.1", "application/json"], EITHER),
    "garbage and JSON": (["json, q=1, application/json"], {JSON}),
    "HTML alone": (["text/html"], set()),
    "XML alone": (["application/xml, text/xml"], set()),
    "another JSON": (["application/problem+json"], set()),
    "nothing": (["*/*;q=0"], set()),
    "neither": (["text/event-stream;q=0, application/json;q=0.0"], set()),
    "neither, but anything else": (["text/event-stream;q=0, application/json;q=0, */*"], set()),
    "a quality that is none": (["application/json;q=high"], set()),
    "a quality out of bounds": (["application/json;q=2"], set()),
    "a quality below bounds": (["application/json;q=-1"], set()),
    "a quality that is not a number": (["application/json;q=nan"], set()),
    "a word": (["json"], set()),
    "half a type": (["application"], set()),
    "half a wildcard": (["*"], set()),
    "a wildcard in the wrong place": (["*/json"], set()),
    "garbage": (['=;,/"\\;q=;\xff'], set()),
}


@pytest.fixture(scope="module")
def known() -> Iterator[Known]:
    """The service, and a reply."""
    with something_known(LiveServer()) as known:
        yield known


def lines(accept: list[str]) -> list[str]:
    """`Accept` headers with these lines."""
    return [f"Accept: {value}" for value in accept]


@pytest.mark.parametrize("operation_id", GIVES)
@pytest.mark.parametrize("name", ACCEPTED)
def test_a_client_gets_what_it_accepts_or_406(name: str, operation_id: str, known: Known) -> None:
    """Each operation has one media type, so that no client gets one that its generator has not planned for."""
    accept, accepted = ACCEPTED[name]
    answer = known.ask(operation_id, *lines(accept))
    if GIVES[operation_id] in accepted:
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, GIVES[operation_id])
        check_response(answer, operation_id)
    else:
        check_refusal(answer, operation_id, CODES[GIVES[operation_id]])


def test_the_document_has_one_media_type_for_each_good_answer() -> None:
    """Or none, or the one that the body asks for; and 406 where it can be excluded."""
    for operation_id, operation in OPERATIONS.items():
        good = resolved(operation["responses"][min(operation["responses"])]).get("content", {})
        assert len(good) <= (2 if operation_id in OF_TWO else 1)
        assert ("406" in operation["responses"]) == (operation_id in GIVES)
        if operation_id in GIVES:
            assert good.keys() == {GIVES[operation_id]}


@pytest.mark.parametrize("media_type", CODES)
def test_a_refusal_names_the_operations_that_give_the_other_type(media_type: str) -> None:
    """By method and path, as they are in the document."""
    examples = DOCUMENT["components"]["responses"]["NotAcceptable"]["content"]["application/problem+json"]["examples"]
    (problem,) = [example["value"] for example in examples.values() if CODES[media_type] in example["value"]["type"]]
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and operation["operationId"] in GIVES:
                is_named = f"{method.upper()} {path} " in problem["detail"].replace(".", " ")
                assert is_named == (GIVES[operation["operationId"]] != media_type)


@given(
    st.text(
        st.sampled_from(",;=/*q.01 \t")
        | st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")
    )
)
def test_no_accept_brings_the_service_down(known: Known, accept: str) -> None:
    """One of two responses, and no other."""
    answer = known.ask("createReply", *lines([accept]))
    assert answer.status in {200, 406}
    check_response(answer, "createReply")
