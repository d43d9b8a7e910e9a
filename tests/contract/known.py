"""A server with known data, for tests that request it in wrong ways."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.contract.asking import CANARY, FINISHED, run
from tests.contract.document import PLACES, PROBLEMS, body_of, check_problem, check_response
from tests.contract.wire import exchange, request
from tests.support.asgi import Whole
from tests.support.server import LiveServer

_JSON = "Content-Type: application/json"


@dataclass(frozen=True, slots=True)
class Known:
    """A server, and the ids of its data."""

    server: LiveServer
    reply_id: str
    conversation_id: str
    list_cursor: str
    messages_cursor: str

    def ask(self, operation_id: str, *headers: str, query: str = "", ids: str = "", body: bytes = b"") -> Whole:
        """Send a request about the known data, or about other `ids`."""
        method, path = PLACES[operation_id]
        target = path.format(reply_id=ids or self.reply_id, conversation_id=ids or self.conversation_id)
        message = body or body_of(operation_id)
        return exchange(self.server.port, request(method, target + query, [_JSON, *headers], message))


def told(server: LiveServer, *headers: str, **body: str) -> dict[str, str]:
    """Send "hello"."""
    message = json.dumps({"user_message": "hello"} | body).encode()
    reply: dict[str, str] = exchange(server.port, request("POST", FINISHED, [_JSON, *headers], message)).json()
    return reply


@contextmanager
def something_known(server: LiveServer) -> Iterator[Known]:
    """A run, and a newer conversation of four messages; checks the log at the end."""
    with server:
        exchange(server.port, run("hello").raw())
        reply = told(server)
        told(server, conversation_id=reply["conversation_id"])
        lists = [
            exchange(server.port, request("GET", f"{path}?limit=1")).json()["next_cursor"]
            for path in ("/api/conversations", f"/api/conversations/{reply['conversation_id']}")
        ]
        yield Known(server, reply["reply_id"], reply["conversation_id"], *lists)
        assert [entry for entry in server.log_entries() if entry["event"] == "defect"] == []


def check_refusal(answer: Whole, operation_id: str, code: str) -> None:
    """Check that the response is the problem, verbatim and as documented, and repeats nothing of the request."""
    if PLACES[operation_id][0] == "HEAD":
        assert answer.status == PROBLEMS[code]["status"]
    else:
        assert check_problem(answer).type == f"urn:problem:{code}"
    check_response(answer, operation_id)
    assert CANARY not in repr(answer)
