"""What browsers are told, and what a page of another site can do to its visitors: nothing."""

import re
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests.support.addresses import CHAT, WHOLE, cancel_of, conversation_at
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, get, post, request

_OURS = "https://page.example"
_SECURITY = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY"}
_NOBODY = "0" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """A service that answers for some hosts, and to pages of one origin."""
    with LiveServer(
        allowed_origins=f'["{_OURS}"]', allowed_hosts='["127.0.0.1", "localhost", "*.example.org", "[::1]"]'
    ) as server:
        yield server


@pytest.fixture(scope="module")
def default() -> Iterator[LiveServer]:
    """A service with default settings."""
    with LiveServer() as server:
        yield server


def _ask(server: LiveServer, raw: bytes) -> Answer:
    with Wire(server.port) as wire:
        wire.send(raw)
        return wire.answer()


def _method(method: str, path: str, headers: dict[str, str]) -> bytes:
    return get(path, headers).replace(b"GET", method.encode(), 1)


_EVERY: dict[str, tuple[bytes, int]] = {
    "a stream": (post("hello"), 200),
    "JSON": (post("hello", path=WHOLE), 200),
    "a bot that is down": (post("/simulate status=503\n"), 503),
    "health": (get("/api/health"), 200),
    "readiness": (get("/api/ready"), 200),
    "a list": (get("/api/conversations"), 200),
    "nothing": (get(f"/api/replies/{_NOBODY}"), 404),
    "an unknown path": (get("/nothing/here"), 404),
    "an unknown method": (_method("PUT", "/api/chat", {"Content-Length": "0"}), 405),
    "no JSON": (request(b"{"), 400),
    "a form": (request(b"", {"Content-Type": "text/plain"}), 415),
    "another site": (post("hello", {"Sec-Fetch-Site": "cross-site"}), 403),
    "another host": (get("/api/conversations", {"Host": "evil.example"}), 421),
    "a preflight": (_method("OPTIONS", "/", {"Origin": _OURS, "Access-Control-Request-Method": "GET"}), 204),
    "a page": (get("/docs"), 200),
    "a script": (get("/docs/styles.js"), 200),
    "the document": (get("/openapi.yaml"), 200),
    "no HTTP": (b"\x00\x01\r\n\r\n", 400),
}


@pytest.mark.parametrize("what", _EVERY)
def test_every_response_tells_browsers_what_not_to_do_with_it(server: LiveServer, what: str) -> None:
    """Not to sniff types, not to send referrers, not to show it in a frame. And it has a request id."""
    raw, status = _EVERY[what]
    answer = _ask(server, raw)
    assert answer.status == status
    assert _SECURITY.items() <= answer.headers.items()
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert "server" not in answer.headers


def test_by_default_no_page_of_another_origin_sees_anything(default: LiveServer) -> None:
    """Neither preflights nor responses allow it."""
    asked = {"Origin": _OURS, "Access-Control-Request-Method": "POST"}
    for raw in (
        _method("OPTIONS", "/api/chat", asked),
        get("/api/conversations", asked),
        get("/api/health", asked),
        get("/nothing", asked),
        post("hello", asked),
    ):
        answer = _ask(default, raw)
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "vary" not in answer.headers
    assert _ask(default, _method("OPTIONS", "/api/chat", asked)).problem_code() == "method-not-allowed"


def test_a_page_of_an_allowed_origin_may_send_what_its_clients_send(server: LiveServer) -> None:
    """Polyfills of EventSource ask for uncached responses, also in the old way."""
    asked = {"Origin": _OURS, "Access-Control-Request-Method": "POST"}
    answer = _ask(server, _method("OPTIONS", "/api/chat", asked))
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed >= {"authorization", "content-type", "idempotency-key", "last-event-id", "cache-control", "pragma"}


def test_an_origin_is_allowed_to_the_letter(server: LiveServer) -> None:
    """Its pages can also read errors, and the headers that say what to do."""
    for raw, status in _EVERY.values():
        if status in {403, 421} or not raw.startswith((b"GET", b"POST", b"PUT")):
            continue
        for origin in (_OURS, _OURS.upper(), f"{_OURS}:443", f"{_OURS}/", "http://page.example", "null", ""):
            answer = _ask(server, raw.replace(b"\r\nHost:", f"\r\nOrigin: {origin}\r\nHost:".encode(), 1))
            allowed = answer.headers.get("access-control-allow-origin")
            assert allowed == (_OURS if origin == _OURS else None)
            assert answer.headers["vary"] == "Origin"
            assert ("access-control-expose-headers" in answer.headers) == (origin == _OURS)
            if origin == _OURS:
                assert answer.status == status


@pytest.mark.parametrize("path", [CHAT, cancel_of(_NOBODY), conversation_at(_NOBODY)])
@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ({}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "http://localhost"}, False),
        ({"Origin": _OURS, "Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"}, True),
        ({"Sec-Fetch-Site": ""}, True),
        ({"Origin": "http://localhost:81"}, True),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://[::"}, True),
        ({"Origin": "file://"}, True),
    ],
    ids=str,
)
def test_pages_of_other_sites_change_nothing(
    server: LiveServer, path: str, headers: dict[str, str], *, is_refused: bool
) -> None:
    """By what the browser says about the site or, if it does not say that, the origin."""
    raw = post("hello", headers)
    if path != CHAT:
        raw = _method("POST" if path.endswith("cancel") else "DELETE", path, headers)
    answer = _ask(server, raw)
    assert (answer.status == 403) is is_refused
    if is_refused:
        assert answer.problem_code() == "cross-site"


@pytest.mark.parametrize(
    "setting",
    [
        {"allowed_hosts": ["*"]},
        {"allowed_hosts": ["https://example.org"]},
        {"allowed_hosts": ["example.org:8000"]},
        {"allowed_hosts": ["a.*.example.org"]},
        {"allowed_hosts": [""]},
        {"allowed_origins": ["*"]},
        {"allowed_origins": ["null"]},
        {"allowed_origins": ["https://page.example/chat"]},
        {"allowed_origins": ["https://*.example"]},
        {"allowed_origins": ["page.example"]},
    ],
    ids=str,
)
def test_what_could_never_match_is_refused_as_a_setting(setting: dict[str, list[str]]) -> None:
    """It would silently lock everybody out; and allowing everybody must be explicit."""
    with pytest.raises(ValidationError):
        Settings.model_validate(setting)


def test_the_page_comes_with_a_policy_that_lets_in_nothing_of_others(default: LiveServer) -> None:
    """Only this server's scripts and styles; a nonce is used once."""
    nonces = set()
    for _ in range(3):
        answer = _ask(default, get("/docs"))
        policy = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        match = re.fullmatch("'nonce-([A-Za-z0-9_-]{22})'", policy["style-src"])
        assert match
        assert answer.body.count(match[1].encode()) == 3
        assert b"{nonce}" not in answer.body
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(
            rb"<script(?![^>]*(src=|type=\"application/json\"))|<style|\son[a-z]+=|\sstyle=", answer.body
        )
        nonces.add(match[1])
    assert len(nonces) == 3
