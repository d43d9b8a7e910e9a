"""The raw body is parsed as strictly as the contract describes it: everything wrong gets its documented 4xx.

Every request is full of canaries. None may be returned.
"""

import itertools
import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.asking import CANARY, FINISHED, STREAMED
from tests.contract.bodies import ACCEPTED, GOOD, INVALID, JSON, MALFORMED, TOO_LARGE, UNSUPPORTED
from tests.contract.document import STATUSES, check_problem, check_response
from tests.contract.wire import chunked, exchange, request
from tests.support.asgi import Whole
from tests.support.server import LiveServer

CANARIES = [
    f"Authorization: Bearer {CANARY}",
    f"Cookie: {CANARY}={CANARY}",
    f"Referer: http://{CANARY}/",
    f"User-Agent: {CANARY}",
    f"X-{CANARY}: {CANARY}",
    f"X-Request-Id: {CANARY}",
]


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service; whatever these tests send, it has no defect, and logs no text of a message."""
    with LiveServer("simulator") as server:
        yield server
        entries = server.log_entries()
        assert [entry for entry in entries if entry["event"] == "defect"] == []
        assert CANARY not in server.log()


def post(server: LiveServer, headers: list[str], body: bytes, path: str = STREAMED) -> Whole:
    """Send a body, with canaries in all headers and in the query."""
    return exchange(server.port, request("POST", f"{path}?{CANARY}={CANARY}", [*CANARIES, *headers], body))


def check_refusal(answer: Whole, code: str) -> list[str]:
    """Check a refusal against the contract. Returns where its errors point."""
    problem = check_problem(answer)
    assert problem.type == f"urn:problem:{code}"
    assert answer.status in STATUSES["streamChat"]
    check_response(answer, "streamChat")
    everything = repr(answer.headers) + answer.content.decode()
    assert CANARY not in everything
    assert "Traceback" not in everything
    assert ".py" not in everything
    errors = problem.model_dump().get("errors", [])
    return [error["pointer"] for error in errors]


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_json_gets_400(name: str, server: LiveServer) -> None:
    """Not one JSON text in UTF-8, or one that parsers interpret differently."""
    assert check_refusal(post(server, [JSON], MALFORMED[name]), "malformed-body") == []


@pytest.mark.parametrize("name", INVALID)
def test_json_that_breaks_the_schema_gets_422_and_is_told_where(name: str, server: LiveServer) -> None:
    """A pointer for each error, and at most 20."""
    body, expected = INVALID[name]
    pointers = check_refusal(post(server, [JSON], body), "invalid-body")
    assert (len(pointers) if isinstance(expected, int) else pointers) == expected


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("userMessage", "Did you mean user_message?"),
        ("message", "Did you mean user_message?"),
        ("conversationId", "Did you mean conversation_id?"),
        ("onDisconnect", "Did you mean on_disconnect?"),
        ("onBusy", "Did you mean on_busy?"),
        (
            "temperature",
            "The known fields are: user_message, conversation_id, edits, regenerates, on_disconnect, on_busy.",
        ),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest_known_one(field: str, hint: str, server: LiveServer) -> None:
    """Its value is not repeated."""
    answer = post(server, [JSON], json.dumps({"user_message": "hello", field: CANARY}).encode())
    assert check_refusal(answer, "invalid-body") == [f"/{field}"]
    assert answer.json()["errors"][0]["detail"] == f"Unknown field. {hint}"


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_does_not_say_that_it_is_plain_json_gets_415(name: str, server: LiveServer) -> None:
    """By its headers, whatever the body is."""
    assert check_refusal(post(server, UNSUPPORTED[name], GOOD), "unsupported-media-type") == []


@pytest.mark.parametrize("name", TOO_LARGE)
@pytest.mark.parametrize("in_chunks", [False, True], ids=["with its length", "in chunks"])
def test_a_body_too_large_gets_413(name: str, in_chunks: bool, server: LiveServer) -> None:  # noqa: FBT001 - a parameter
    """Whether it is announced or not."""
    headers = [JSON, "Transfer-Encoding: chunked"] if in_chunks else [JSON]
    body = chunked(TOO_LARGE[name], 60_000) if in_chunks else TOO_LARGE[name]
    assert check_refusal(post(server, headers, body), "body-too-large") == []


def test_a_length_too_large_gets_413_before_the_body(server: LiveServer) -> None:
    """Without waiting for a terabyte."""
    answer = post(server, [JSON, f"Content-Length: {10**12}"], b"")
    assert check_refusal(answer, "body-too-large") == []


def test_who_leaves_half_way_is_no_defect(server: LiveServer) -> None:
    """It happens every day; the log has it as a body that was not JSON, and (see `server`) nothing else."""
    seen = server.log().count("\n")
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(request("POST", STREAMED, [JSON, "Content-Length: 100"], GOOD[:20]))
    after = itertools.count()
    server.wait_for_log(lambda line: next(after) >= seen and json.loads(line).get("status") == 400)


def test_where_the_reply_is_had_as_json_bodies_are_read_alike(server: LiveServer) -> None:
    """Both operations accept the same request."""
    refused = [
        *(([JSON], body, "malformed-body") for body in MALFORMED.values()),
        *(([JSON], body, "invalid-body") for body, _ in INVALID.values()),
        *((headers, GOOD, "unsupported-media-type") for headers in UNSUPPORTED.values()),
        *(([JSON], body, "body-too-large") for body in TOO_LARGE.values()),
    ]
    for headers, body, code in refused:
        answer = post(server, headers, body, FINISHED)
        check_refusal(answer, code)
        check_response(answer, "createReply")
    for headers, body in ACCEPTED.values():
        answer = post(server, headers, body, FINISHED)
        assert answer.status == 200
        check_response(answer, "createReply")


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_good_body_is_taken_in_every_spelling(name: str, server: LiveServer) -> None:
    """Strict does not mean narrow."""
    answer = post(server, *ACCEPTED[name])
    assert answer.status == 200
    check_response(answer, "streamChat")
    assert answer.transcript().text


@given(
    st.text(st.sampled_from(";;==\"\\*'%, \t08utf-charset") | st.characters(codec="latin-1", exclude_categories=["Cc"]))
)
def test_no_content_type_brings_the_service_down(server: LiveServer, parameters: str) -> None:
    """Our own parser for this header must accept anything."""
    for content_type in (f"application/json;{parameters}", parameters):
        answer = post(server, [f"Content-Type: {content_type}"], GOOD)
        if answer.status != 200:
            assert check_problem(answer).type == "urn:problem:unsupported-media-type"
