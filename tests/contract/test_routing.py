"""Paths and methods that are not in the document: a 404 or 405 problem, never a redirect, never an echo."""

from collections.abc import Iterator

import pytest

from tests.contract.asking import CANARY, NOBODY
from tests.contract.document import PLACES, check_error, methods_of
from tests.contract.wire import exchange, request
from tests.support.asgi import Whole
from tests.support.server import LiveServer

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "PROPFIND"]
PATHS = sorted({path for _, path in PLACES.values()})
REFUSED = [(method, path) for path in PATHS for method in METHODS if method not in methods_of(path)]
SOMETHING = {"reply_id": NOBODY, "conversation_id": NOBODY}
NOWHERE = {
    "the root twice": "//",
    "another path": f"/{CANARY}",
    "a path below a reply": f"/api/replies/{NOBODY}/cancels",
    "a slash too many behind events": f"/api/replies/{NOBODY}/events/",
    "a path below": f"/api/chat/{CANARY}",
    "a path above": "/api",
    "another operation of OpenAI's": f"/v1/{CANARY}",
    "OpenAI's protocol as such": "/v1",
    "a path that begins alike": "/v1x/models",
    "a slash too many at the end": "/api/chat/",
    "the same for health": "/api/health/",
    "the same for a list": "/api/conversations/",
    "the same for a reply": f"/api/replies/{NOBODY}/",
    "no reply": "/api/replies/",
    "a path below a conversation": f"/api/conversations/{NOBODY}/{CANARY}",
    "a path below a conversation, in disguise": f"/api/conversations/{NOBODY}%2f{CANARY}",
    "the same for the document": "/openapi.yaml/",
    "a slash too many in the middle": "/api//chat",
    "a slash too many in front": "//api/chat",
    "other letters": "/API/chat",
    "dots": "/api/health/../chat",
    "dots in disguise": "/api/%2e%2e/%2e%2e/etc/passwd",
    "dots behind a folder that is served": "/docs/../../main.py",
    "a parameter": f"/api/chat;{CANARY}",
    "a NUL": "/api/chat%00",
    "a line end": f"/api/chat%0d%0aX-{CANARY}:%20{CANARY}",
    "bytes that are not UTF-8": "/api/chat%ff",
    "a script": f"/<script>{CANARY}</script>",
    "another host": f"//{CANARY}.example/",
    "an absolute address": f"http://{CANARY}.example/api/nothing",
    "FastAPI's own pages": "/redoc",
    "a very long path": "/" + CANARY * 800,
}
HOSTS = {"an evil host": f"{CANARY}.example", "an address": "192.0.2.1:1", "none": ""}
NO_HOSTS = {
    "garbage": f'"<{CANARY}>"',
    "two": f"{CANARY}, localhost",
    "a path": f"localhost/{CANARY}",
    "a port that is none": f"localhost:{CANARY}",
}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service, which accepts any host."""
    with LiveServer("greeter", allow_anyone=True) as server:
        yield server


def check_refusal(answer: Whole, code: str, *, path: str = "/", has_body: bool = True) -> None:
    """Check that the response is the problem, verbatim, and repeats nothing of the request."""
    if has_body:
        assert check_error(answer, path) == f"urn:problem:{code}"
    assert len(answer.headers["x-request-id"]) == 32
    assert "location" not in answer.headers
    assert CANARY not in repr(answer.headers) + answer.content.decode()


@pytest.mark.parametrize("name", NOWHERE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_is_not_there_gets_404(method: str, name: str, server: LiveServer) -> None:
    """However similar it is to an existing one: nobody is redirected."""
    target = f"{NOWHERE[name]}?{CANARY}={CANARY}"
    answer = exchange(server.port, request(method, target, [f"X-{CANARY}: {CANARY}"], b""))
    assert answer.status == 404
    check_refusal(answer, "path-not-found", path=NOWHERE[name])


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_a_method_that_a_path_does_not_have_gets_405_and_all_that_it_has(
    method: str, path: str, server: LiveServer
) -> None:
    """`Allow` is exactly what the document has for the path."""
    target = f"{path.format(**SOMETHING)}?{CANARY}"
    answer = exchange(server.port, request(method, target, [f"X-{CANARY}: {CANARY}"], b""))
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == methods_of(path)
    check_refusal(answer, "method-not-allowed", path=path, has_body=method != "HEAD")


@pytest.mark.parametrize("path", ["/openapi.yaml", "/openapi.json", "/openapi-3.1.json", "/docs", "/"])
@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "TRACE"])
def test_the_documents_are_for_reading(method: str, path: str, server: LiveServer) -> None:
    """What is not part of the contract refuses in the same words."""
    answer = exchange(server.port, request(method, path, [], b""))
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    check_refusal(answer, "method-not-allowed")


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize(("target", "status"), [("/api/health", 200), ("/api/health/", 404), ("/docs", 200)])
def test_a_host_is_never_repeated(name: str, target: str, status: int, server: LiveServer) -> None:
    """No response depends on the name in the request."""
    answer = exchange(server.port, request("GET", target, [f"Host: {HOSTS[name]}", f"X-Forwarded-Host: {CANARY}"]))
    assert answer.status == status
    assert "location" not in answer.headers
    assert CANARY not in repr(answer.headers) + answer.content.decode()


@pytest.mark.parametrize("name", NO_HOSTS)
def test_what_is_no_host_gets_400(name: str, server: LiveServer) -> None:
    """RFC 9112, section 3.2."""
    answer = exchange(server.port, request("GET", "/api/health", [f"Host: {NO_HOSTS[name]}"]))
    assert answer.status == 400
    check_refusal(answer, "malformed-request")


@pytest.mark.parametrize(
    "raw",
    [
        f"{CANARY}\r\n\r\n".encode(),
        f"GET /api/health {CANARY}\r\n\r\n".encode(),
        f"GET /api/health HTTP/1.1\r\nX-{CANARY} {CANARY}\r\n\r\n".encode(),
        f"GET /api/health HTTP/1.1\r\nX: {CANARY}\x00\r\n\r\n".encode(),
        f"POST /api/chat HTTP/1.1\r\nContent-Length: {CANARY}\r\n\r\n".encode(),
        f"POST /api/chat HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\nX: {CANARY}\r\n\r\n".encode(),
        f"POST /api/chat HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nX: {CANARY}\r\n\r\n".encode(),
    ],
    ids=["words", "version", "header", "NUL", "length", "lengths", "smuggling"],
)
def test_what_is_not_http_gets_400(raw: bytes, server: LiveServer) -> None:
    """The server below the application has no texts of its own."""
    answer = exchange(server.port, raw)
    assert answer.status == 400
    assert answer.headers["connection"] == "close"
    check_refusal(answer, "malformed-request")
