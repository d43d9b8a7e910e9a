"""`HEAD` over real sockets: for every `GET`, the same status and headers, and not one byte after them.

RFC 9110, section 9.3.2. `test_statuses` requests the headers of each error, in-process.
"""

import re
import socket
from collections.abc import Iterator

import pytest

from tests.contract.asking import NOBODY, Request, get
from tests.contract.document import HEADS, PLACES, check_response
from tests.contract.known import Known, something_known
from tests.contract.stage import begin
from tests.contract.wire import PATIENCE_SECONDS, exchange
from tests.support.agui import rejoined_at
from tests.support.asgi import Whole
from tests.support.server import LiveServer

GOOD = {operation_id: PLACES[operation_id][1] for operation_id in HEADS} | {"rejoinAgent": rejoined_at("run-1")}
BAD = {
    "an unknown path": "/nothing",
    "a path that takes messages": "/api/chat",
    "a path that cancels": f"/api/replies/{NOBODY}/cancel",
    "no such reply": f"/api/replies/{NOBODY}",
    "no such stream": f"/api/replies/{NOBODY}/events",
    "no such conversation": f"/api/conversations/{NOBODY}",
    "a bad page": "/api/conversations?limit=0",
    "an unknown parameter": "/api/conversations?page=1",
    "no such run": rejoined_at(NOBODY),
    "no run": "/api/ag-ui",
    "a cursor of another reply": f"/api/replies/{{reply_id}}/events?lastEventId={NOBODY}:1",
}
OTHERS = ["/", "/docs", "/openapi.yaml", "/openapi.json", "/openapi-3.1.json", "/page/main.js", "/docs/scalar.js"]
OF_A_BODY = {"content-length", "transfer-encoding"}
OF_ONE_REQUEST = {"date", "x-request-id", "content-security-policy"}


@pytest.fixture(scope="module")
def known() -> Iterator[Known]:
    """The service, with data."""
    with something_known(LiveServer()) as known:
        yield known


def about(known: Known, path: str) -> Request:
    """A GET request for a path of the document."""
    ids = {"reply_id": known.reply_id, "conversation_id": known.conversation_id}
    return get(path, accept="*/*").of(ids)


def received(known: Known, sent: bytes) -> bytes:
    """Everything until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", known.server.port), PATIENCE_SECONDS) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(2**16), b""))


def comparable(answer: Whole) -> dict[str, str]:
    """The headers, without those about a body or a single request."""
    headers = {name: value for name, value in answer.headers.items() if name not in OF_A_BODY}
    return headers | dict.fromkeys(headers.keys() & OF_ONE_REQUEST, "")


@pytest.mark.parametrize("path", [*GOOD.values(), *BAD.values(), *OTHERS])
def test_head_is_get_without_a_body(path: str, known: Known) -> None:
    """Errors, too; a length, if present, is the same as for `GET`."""
    asked = about(known, path)
    whole = exchange(known.server.port, asked.raw())
    head = exchange(known.server.port, asked.head().raw())
    assert head.status == whole.status
    assert comparable(head) == comparable(whole)
    if path != "/metrics":  # they change all the time
        assert head.headers.get("content-length") in {None, whole.headers.get("content-length")}
    raw = received(known, asked.head().raw())
    assert raw.startswith(b"HTTP/1.1 %d " % head.status)
    assert raw.index(b"\r\n\r\n") == len(raw) - 4


@pytest.mark.parametrize("operation_id", HEADS)
def test_head_answers_as_documented(operation_id: str, known: Known) -> None:
    """As its own operation."""
    answer = exchange(known.server.port, about(known, GOOD[operation_id]).head().raw())
    assert answer.status == (204 if operation_id == "resumeUiChat" else 200)
    check_response(answer, HEADS[operation_id])


def test_every_get_of_the_document_has_its_head() -> None:
    """With the same parameters."""
    assert HEADS.keys() == {name for name, (method, _) in PLACES.items() if method == "GET"}


@pytest.mark.parametrize("path", [*GOOD.values(), "/nothing", "/docs"])
def test_the_next_request_on_the_connection_is_answered(path: str, known: Known) -> None:
    """A byte of a body would be taken for its response."""
    first = about(known, path).head().raw().replace(b"Connection: close\r\n", b"")
    both = received(known, first + about(known, "/api/health").raw())
    assert [int(status) for status in re.findall(rb"^HTTP/1\.1 ([0-9]{3}) ", both, re.MULTILINE)] == [
        404 if path == "/nothing" else 204 if path == GOOD["resumeUiChat"] else 200,
        200,
    ]
    assert both.endswith(b'"The server is up and running."}')


def test_head_of_a_stream_is_no_reader() -> None:
    """An unread reply is cancelled, however often its headers are requested."""
    with LiveServer(resume_window_seconds=0) as server:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as connection:
            ids = begin(connection)
            events = get("/api/replies/{reply_id}/events").of(ids).head().raw()
            reply = get("/api/replies/{reply_id}").of(ids).raw()
            assert exchange(server.port, events).status == 200
            assert exchange(server.port, reply).json()["state"] == "running"
        while (told := exchange(server.port, reply).json())["state"] == "running":
            assert exchange(server.port, events).status == 200
        assert (told["state"], told["finish_reason"]) == ("cancelled", "abandoned")
