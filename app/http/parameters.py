"""Reads what a request says in its path, its headers and its query, as strictly as the contract describes it."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.types import Scope

from app.http.problems import RequestError

MAX_PAGE = 100
DEFAULT_PAGE = 20

_ID = re.compile(r"[0-9a-f]{32}")
_LAST_EVENT_ID = re.compile(rb"([0-9a-f]{32}):(0|[1-9][0-9]{0,9})")
_IDEMPOTENCY_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
_LIMIT = re.compile(r"[1-9][0-9]{0,2}")
_PAGE_CURSOR = re.compile("[A-Za-z0-9_-]{1,200}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """How much of which reply a reader has had."""

    reply_id: str
    words: int


def path_id(scope: Scope, name: str, not_found: str) -> str:
    """An id in the path.

    Raises `RequestError` with the problem `not_found` if it is not of the contract's form: then it names nothing.
    """
    value: str = scope["path_params"][name]
    if _ID.fullmatch(value) is None:
        raise RequestError(not_found)
    return value


def last_event_id(scope: Scope) -> Cursor | None:
    """The `Last-Event-ID` header. An empty one is none: browsers send it so.

    Raises `RequestError` if it is not one that an event had.
    """
    value = _header(scope, b"last-event-id")
    if not value:
        return None
    match = _LAST_EVENT_ID.fullmatch(value)
    if match is None:
        raise RequestError("malformed-cursor")
    return Cursor(match[1].decode(), int(match[2]))


def idempotency_key(scope: Scope) -> str | None:
    """The `Idempotency-Key` header.

    Raises `RequestError` if it is not of the contract's form.
    """
    value = _header(scope, b"idempotency-key")
    if value is None:
        return None
    if _IDEMPOTENCY_KEY.fullmatch(value) is None:
        raise RequestError("malformed-idempotency-key")
    return value.decode("ascii")


def page(scope: Scope) -> tuple[int, str | None]:
    """The query's `limit` and `cursor`.

    Raises `RequestError`.
    """
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    limits = [value for name, value in query if name == "limit"]
    cursors = [value for name, value in query if name == "cursor"]
    if len(limits) > 1 or len(cursors) > 1:
        raise RequestError("malformed-page")
    limit = limits[0] if limits else str(DEFAULT_PAGE)
    if _LIMIT.fullmatch(limit) is None or int(limit) > MAX_PAGE:
        raise RequestError("malformed-page")
    if cursors and _PAGE_CURSOR.fullmatch(cursors[0]) is None:
        raise RequestError("malformed-page-cursor")
    return int(limit), cursors[0] if cursors else None


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    values = [value.strip(b" \t") for name, value in scope["headers"] if name == wanted]  # not every server does
    return b", ".join(values) if values else None
