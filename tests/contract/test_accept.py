"""Which representation a client gets, by what it says that it accepts (RFC 9110, section 12.5.1)."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.document import check_problem, check_response
from tests.contract.wire import exchange, request
from tests.support.asgi import Whole
from tests.support.server import LiveServer

STREAM = "text/event-stream; charset=utf-8"
JSON = "application/json"

NEGOTIATED: dict[str, tuple[list[str], str]] = {
    "says nothing": ([], STREAM),
    "says nothing, at length": ([""], STREAM),
    "curl, fetch": (["*/*"], STREAM),
    "EventSource, fetch-event-source": (["text/event-stream"], STREAM),
    "in other letters": (["Text/Event-Stream"], STREAM),
    "any text": (["text/*"], STREAM),
    "a client of JSON": (["application/json"], JSON),
    "any application": (["application/*"], JSON),
    "axios": (["application/json, text/plain, */*"], JSON),
    "jQuery": (["application/json, text/javascript, */*; q=0.01"], JSON),
    "a browser": (["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], STREAM),
    "both": (["text/event-stream, application/json"], STREAM),
    "both, the other way round": (["application/json, text/event-stream"], STREAM),
    "both, rather JSON": (["text/event-stream;q=0.4, application/json;q=0.5"], JSON),
    "both, rather a stream": (["application/json;q=0.4, text/event-stream;q=0.5"], STREAM),
    "rather anything else": (["application/json;q=0.1, */*"], STREAM),
    "anything but a stream": (["*/*, text/event-stream;q=0"], JSON),
    "anything but JSON": (["application/json;q=0, */*"], STREAM),
    "any text but a stream": (["text/*, text/event-stream;q=0, application/json;q=0.001"], JSON),
    "with a parameter": (["application/json;charset=utf-8"], JSON),
    "with much space": ([" application/json \t; \t q=1.0 "], JSON),
    "with empty places": ([",, application/json ,,"], JSON),
    "in two lines": (["text/html", "application/json"], JSON),
    "in two lines, rather the second": (["text/event-stream;q=0.1", "application/json"], JSON),
    "garbage and JSON": (["json, q=1, application/json"], JSON),
}

REFUSED: dict[str, list[str]] = {
    "HTML alone": ["text/html"],
    "XML alone": ["application/xml, text/xml"],
    "another JSON": ["application/problem+json"],
    "nothing": ["*/*;q=0"],
    "neither": ["text/event-stream;q=0, application/json;q=0.0"],
    "neither, but anything else": ["text/event-stream;q=0, application/json;q=0, */*"],
    "a quality that is none": ["application/json;q=high"],
    "a quality out of bounds": ["application/json;q=2"],
    "a quality below bounds": ["application/json;q=-1"],
    "a quality that is not a number": ["application/json;q=nan"],
    "a word": ["json"],
    "half a type": ["application"],
    "half a wildcard": ["*"],
    "a wildcard in the wrong place": ["*/json"],
    "garbage": ['=;,/"\\;q=;\xff'],
}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service."""
    with LiveServer("simulator") as server:
        yield server


def ask(server: LiveServer, accept: list[str]) -> Whole:
    """Ask with these `Accept` lines."""
    lines = ["Content-Type: application/json", *(f"Accept: {value}" for value in accept)]
    return exchange(server.port, request("POST", "/api/chat", lines, b'{"user_message": "hello"}'))


@pytest.mark.parametrize("name", NEGOTIATED)
def test_a_client_gets_what_it_likes_best(name: str, server: LiveServer) -> None:
    """Of two that it likes as much, the one that it names; then the stream."""
    accept, expected = NEGOTIATED[name]
    answer = ask(server, accept)
    assert (answer.status, answer.headers["content-type"]) == (200, expected)
    check_response(answer, "streamChat")
    assert (answer.json() if expected == JSON else answer.transcript().reply.model_dump())["text"] == "hello"


@pytest.mark.parametrize("name", REFUSED)
def test_a_client_that_likes_neither_gets_406(name: str, server: LiveServer) -> None:
    """It is told which there are."""
    answer = ask(server, REFUSED[name])
    assert check_problem(answer).type == "urn:problem:not-acceptable"
    check_response(answer, "streamChat")


@settings(deadline=None)
@given(
    st.text(
        st.sampled_from(",;=/*q.01 \t")
        | st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")
    )
)
def test_no_accept_brings_the_service_down(server: LiveServer, accept: str) -> None:
    """Any of the three answers, and no other."""
    answer = ask(server, [accept])
    assert answer.status in {200, 406}
    check_response(answer, "streamChat")
