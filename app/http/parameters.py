"""Parses the parameters in a request's path, headers and query as strictly as the contract requires."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.types import Scope

from app.chat.aliases import is_id, is_name
from app.chat.stored import ListPosition, MessagesPage
from app.http.problems import RequestError

MAX_PAGE = 100
DEFAULT_PAGE = 20
MAX_SEARCH = 200
MAX_RUN_ID = 500
_ORDERS = {"asc": False, "desc": True}
_BEGINNING = "-1"

_LAST_EVENT_ID = re.compile(rb"([0-9a-f]{32}):(0|[1-9][0-9]{0,9})")
_IDEMPOTENCY_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
_LIMIT = re.compile(r"[1-9][0-9]{0,2}")
_LIST_CURSOR = re.compile("([0-9]{1,13})-([0-9a-f]{32})")
_MESSAGES_CURSOR = re.compile("0|[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A reader's position: a reply, and how many of its words were received."""

    reply_id: str
    words: int


@dataclass(frozen=True, slots=True)
class ListPage:
    """The requested page of the list of conversations."""

    limit: int
    cursor: ListPosition | None
    search: str | None


def path_id(scope: Scope, name: str, not_found: str) -> str:
    """An id in the path.

    Raises `RequestError` with the problem `not_found` if it does not have the form of an id: then nothing has it.
    """
    value: str = scope["path_params"][name]
    if not is_id(value):
        raise RequestError(not_found)
    return value


def path_name(scope: Scope, not_found: str) -> str:
    """The id or alias of a conversation in the path. Raises `RequestError` as `path_id`."""
    value: str = scope["path_params"]["conversation_id"]
    if not is_name(value):
        raise RequestError(not_found)
    return value


def last_event_id(scope: Scope, *, in_query: bool = False) -> Cursor | None:
    """The `Last-Event-ID` header or else the query's `lastEventId`. Empty counts as absent: browsers send that.

    Raises `RequestError` if it does not have the form of an event's id.
    """
    value = header(scope, b"last-event-id")
    if in_query and scope["query_string"]:
        in_its_place = _query(scope, "lastEventId").get("lastEventId", "").encode("latin-1")
        value = value or in_its_place
    if not value:
        return None
    match = _LAST_EVENT_ID.fullmatch(value)
    if match is None:
        raise RequestError("malformed-cursor")
    return Cursor(match[1].decode(), int(match[2]))


def idempotency_key(scope: Scope) -> str | None:
    """The `Idempotency-Key` header.

    Raises `RequestError` if it does not have the contract's form.
    """
    value = header(scope, b"idempotency-key")
    if value is None:
        return None
    if _IDEMPOTENCY_KEY.fullmatch(value) is None:
        raise RequestError("malformed-idempotency-key")
    return value.decode("ascii")


def list_page(scope: Scope) -> ListPage:
    """The query of a list of conversations. Raises `RequestError`."""
    query = _query(scope, "limit", "cursor", "search")
    match = _cursor(query, _LIST_CURSOR)
    position = ListPosition(int(match[1]), match[2]) if match else None
    return ListPage(_page_limit(query), position, _search(query) if "search" in query else None)


def messages_page(scope: Scope) -> MessagesPage:
    """The query of a conversation's messages. Raises `RequestError`."""
    query = _query(scope, "limit", "cursor", "order", "branch")
    match = _cursor(query, _MESSAGES_CURSOR)
    newest_first = _ORDERS.get(query.get("order", "asc"))
    branch = query.get("branch")
    if newest_first is None or (branch is not None and not is_id(branch)):
        raise RequestError("malformed-page")
    return MessagesPage(_page_limit(query), int(match[0]) if match else None, newest_first, branch)


def run_id(scope: Scope) -> str:
    """The run in the query, which is read from its beginning. Raises `RequestError`."""
    query = _query(scope, "runId", "offset")
    if query.get("offset", _BEGINNING) != _BEGINNING:
        raise RequestError("malformed-run")
    return _text(query.get("runId", ""), MAX_RUN_ID, "malformed-run")


def refuse_query(scope: Scope) -> None:
    """Raises `RequestError` for any parameter, such as a filter that the client believes in."""
    _query(scope)


def _query(scope: Scope, *names: str) -> dict[str, str]:
    """The parameters of the query. Only these names are allowed, each at most once."""
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    query = dict(pairs)
    if not query.keys() <= set(names):
        raise RequestError("unknown-parameter")
    if len(query) < len(pairs):
        raise RequestError("malformed-page")
    return query


def _page_limit(query: dict[str, str]) -> int:
    limit = query.get("limit", str(DEFAULT_PAGE))
    if _LIMIT.fullmatch(limit) is None or int(limit) > MAX_PAGE:
        raise RequestError("malformed-page")
    return int(limit)


def _search(query: dict[str, str]) -> str:
    words = _text(query["search"], MAX_SEARCH, "malformed-page")
    if "\0" in words:
        raise RequestError("malformed-page")
    return words


def _text(value: str, most: int, problem: str) -> str:
    """A value of the query as UTF-8, of 1 to `most` characters. Raises `RequestError`."""
    try:
        text = value.encode("latin-1").decode("utf-8")
    except ValueError:
        raise RequestError(problem) from None
    if not 1 <= len(text) <= most:
        raise RequestError(problem)
    return text


def _cursor(query: dict[str, str], form: re.Pattern[str]) -> re.Match[str] | None:
    if "cursor" not in query:
        return None
    match = form.fullmatch(query["cursor"])
    if match is None:
        raise RequestError("malformed-page-cursor")
    return match


def header(scope: Scope, wanted: bytes) -> bytes | None:
    """The value of a header; repeated lines are joined into a list."""
    values = [value.strip(b" \t") for name, value in scope["headers"] if name == wanted]  # not every server strips them
    return b", ".join(values) if values else None
