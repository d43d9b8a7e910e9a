"""The part of the fifth law's table that all guarded operations share: they refuse requests in the same way."""

from collections.abc import Callable, Iterator

from tests.contract.asking import (
    CANARY,
    NOBODY,
    Request,
    cancel,
    chat,
    completion,
    delete,
    get,
    patch,
    put,
    rejoin,
    run,
    ui,
)
from tests.contract.document import HEADS, PLACES
from tests.contract.provocations import Provocation, after, fresh
from tests.contract.way import Way
from tests.support.ui import again_at

_ASKED = {
    "streamChat": chat("hello"),
    "createReply": chat("hello").finished(),
    "getReply": get(f"/api/replies/{NOBODY}"),
    "streamReply": get(f"/api/replies/{NOBODY}/events"),
    "cancelReply": cancel(NOBODY),
    "listConversations": get("/api/conversations"),
    "getConversation": get(f"/api/conversations/{NOBODY}"),
    "updateConversation": patch(f"/api/conversations/{NOBODY}", '{"title": "hello"}'),
    "getService": get("/api/service"),
    "giveFeedback": put(f"/api/replies/{NOBODY}/feedback", '{"rating": "up"}'),
    "withdrawFeedback": delete(f"/api/replies/{NOBODY}/feedback"),
    "exportConversation": get(f"/api/conversations/{NOBODY}/export"),
    "exportConversationAsMarkdown": get(f"/api/conversations/{NOBODY}/markdown"),
    "deleteConversations": delete("/api/conversations"),
    "deleteConversation": delete(f"/api/conversations/{NOBODY}"),
    "createChatCompletion": completion("hello"),
    "listModels": get("/v1/models"),
    "streamUiChat": ui("hello"),
    "resumeUiChat": get(again_at("chat")),
    "runAgent": run("hello"),
    "rejoinAgent": rejoin("run-1"),
    "getMetrics": get("/metrics"),
}
GUARDED = _ASKED | {HEADS[name]: asked.head() for name, asked in _ASKED.items() if name in HEADS}
"""A request for each operation that requires credentials."""

OPEN = sorted(PLACES.keys() - GUARDED.keys())
UNSAFE = {name: asked for name, asked in GUARDED.items() if asked.method not in {"GET", "HEAD"}}
BASIC = "Basic c29tZWJvZHk6c2VjcmV0"


def asked_of(operation_id: str) -> Request:
    """A request for each operation, guarded or not."""
    method, path = PLACES[operation_id]
    return GUARDED.get(operation_id, Request(method, path))


def locked(asked: Request) -> Provocation:
    """Send a request when tokens cannot be verified."""
    keys_url = "http://127.0.0.1:1/keys"
    return fresh(asked, jwt_issuer="https://issuer.example", jwt_audience="chat", jwt_keys_url=keys_url)


def signed(authorization: str) -> Callable[[Request], Provocation]:
    """Send a request with credentials there."""
    return lambda asked: locked(asked.plus(authorization=authorization))


def third(asked: Request) -> Provocation:
    """Send a request when the rate limit of two per minute is used up."""
    return after(GUARDED["listConversations"], asked, requests_per_minute=2)


def elsewhere(asked: Request) -> Provocation:
    """Send a request from a page of another site."""
    return fresh(asked.plus(origin=f"https://{CANARY}.example", sec_fetch_site="cross-site"))


def _refusals() -> Iterator[Way]:
    for operation_id, asked in _ASKED.items():
        for name, code, ask in (
            ("no key", "credentials-missing", locked),
            ("a password", "credentials-missing", signed(BASIC)),
            ("a wrong key", "invalid-token", signed(f"Bearer {CANARY}")),
            ("a token of an issuer that is down", "access-unavailable", signed("Bearer a.b.c")),
            ("a third request", "rate-limited", third),
        ):
            yield Way(operation_id, name, code, ask(asked))
    for operation_id, asked in UNSAFE.items():
        yield Way(operation_id, "another site", "cross-site", elsewhere(asked))


REFUSALS = list(_refusals())
