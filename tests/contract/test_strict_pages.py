"""Ids, and the queries of pages, are taken as strictly as the contract describes them.

Nearly every wrong one has a canary. None may come back.
"""

import base64
import json
from collections.abc import Iterator

import pytest

from tests.contract.asking import CANARY, NOBODY
from tests.contract.document import check_response
from tests.contract.known import Known, check_refusal, something_known, told
from tests.support.databases import fresh_database_url
from tests.support.server import LiveServer

OF_REPLIES = ["streamReply", "cancelReply"]
OF_CONVERSATIONS = ["getConversation", "deleteConversation"]
LISTS = ["listConversations", "getConversation"]


@pytest.fixture(scope="module")
def known() -> Iterator[Known]:
    """What there is."""
    with something_known(LiveServer()) as known:
        yield known


NO_PAGES = [
    *("limit=0", "limit=-1", "limit=%2B1", "limit=1.5", "limit=1e1", "limit=101", "limit=1000", "limit=00", "limit=01"),
    *(
        "limit=",
        "limit",
        "limit=%201",
        "limit=1%20",
        "limit=1%00",
        f"limit={CANARY}",
        "limit=%D9%A1",
        "limit=%EF%BC%91",
    ),
    *(
        "limit=NaN",
        "limit=true",
        "limit=null",
        "limit=1,2",
        "limit=0x1",
        "limit=1_0",
        "limit=%FF",
        "limit=" + "9" * 5000,
    ),
    *("limit=1&limit=2", "limit=1&limit=1", "limit=&limit=1", "cursor=a&cursor=a", "cursor=&cursor="),
]


@pytest.mark.parametrize("operation_id", LISTS)
@pytest.mark.parametrize("query", NO_PAGES)
def test_a_page_that_cannot_be_gets_400(query: str, operation_id: str, known: Known) -> None:
    """A limit is a whole number from 1 to 100, in one spelling, once."""
    check_refusal(known.ask(operation_id, query=f"?{query}"), operation_id, "malformed-page")


@pytest.mark.parametrize("operation_id", LISTS)
@pytest.mark.parametrize("query", ["", "limit=1", "limit=100", "limit=%31%30", "Limit=0", f"{CANARY}={CANARY}", "&&="])
def test_a_page_that_can_be_is_given(query: str, operation_id: str, known: Known) -> None:
    """What is no parameter is not looked at."""
    answer = known.ask(operation_id, query=f"?{query}")
    assert answer.status == 200
    check_response(answer, operation_id)


def of(text: str) -> str:
    """A cursor, as it is made; but not by the service."""
    return base64.urlsafe_b64encode(text.encode("latin-1")).decode().rstrip("=")


NO_PAGE_CURSORS = {
    "empty": "",
    "a word": CANARY,
    "one character": "0",
    "too long": "a" * 201,
    "much too long": CANARY * 1000,
    "an escaped NUL": "%00",
    "bytes": "%FF",
    "a letter beyond ASCII": "%C3%A9",
    "a path": "../../etc/passwd",
    "with its padding": "{own}%3D",
    "with a blank": "{own}%20",
    "with a line end": "{own}%0A",
    "with a character more": "{own}A",
    "with a character less": "{less}",
    "of the other list": "{other}",
    "of a made-up place": of(f"1:{CANARY}"),
    "of nobody's": of(f"x:{NOBODY}"),
    "of a negative place": of(f"-1:{NOBODY}"),
    "of a fraction": of(f"1.5:{NOBODY}"),
    "of a place beyond numbers": of(f"{'9' * 40}:{NOBODY}"),
    "of a NUL": of("1:" + "\0" * 32),
    "of bytes": of("1:" + "\xff" * 32),
}


@pytest.mark.parametrize("operation_id", LISTS)
@pytest.mark.parametrize("name", NO_PAGE_CURSORS)
def test_a_cursor_that_no_page_gave_gets_400(name: str, operation_id: str, known: Known) -> None:
    """However near it comes to one."""
    own, other = known.list_cursor, known.messages_cursor
    if operation_id == "getConversation":
        own, other = other, own
    cursor = NO_PAGE_CURSORS[name].format(own=own, less=own[:-1], other=other)
    check_refusal(known.ask(operation_id, query=f"?cursor={cursor}"), operation_id, "malformed-page-cursor")


def test_a_cursor_of_another_conversation_gets_400(known: Known) -> None:
    """It is a place in a list, and that is another list."""
    other = told(known.server)["conversation_id"]
    answer = known.ask("getConversation", query=f"?cursor={known.messages_cursor}", ids=other)
    check_refusal(answer, "getConversation", "malformed-page-cursor")


NO_IDS = {
    "nobody's": NOBODY,
    "in upper case": "{upper}",
    "too short": "{id:.31}",
    "too long": "{id}0",
    "much too long": CANARY * 800,
    "with a NUL": "{id}%00",
    "with a line end": "{id}%0A",
    "with a blank": "{id}%20",
    "with a blank in front": "%20{id}",
    "with a parameter": "{id};" + CANARY,
    "with a percent sign": "{id:.31}%25",
    "in half an escape": "{id:.31}%6",
    "nothing but a NUL": "%00",
    "bytes": "%FF%80",
    "other digits": "%D9%A0" * 32,
    "a wildcard": "*",
    "a piece of SQL": "'%20OR%201=1%20--",
    "null": "null",
    "a template": "%7Breply_id%7D",
}


@pytest.mark.parametrize("operation_id", [*OF_REPLIES, *OF_CONVERSATIONS])
@pytest.mark.parametrize("name", NO_IDS)
def test_what_is_no_id_names_nothing(name: str, operation_id: str, known: Known) -> None:
    """404, whatever it is; the same as for an id that nothing has."""
    kind = "reply" if operation_id in OF_REPLIES else "conversation"
    real = known.reply_id if kind == "reply" else known.conversation_id
    ids = NO_IDS[name].format(id=real, upper=real.upper())
    check_refusal(known.ask(operation_id, ids=ids), operation_id, f"{kind}-not-found")


@pytest.mark.parametrize(
    "value", [CANARY, "", "A" * 32, "a" * 31, "a" * 33, "a" * 31 + "\n", "\0" * 32, None, 7, [NOBODY]]
)
def test_what_is_no_id_in_a_body_gets_422(value: object, known: Known) -> None:
    """It is told where."""
    body = json.dumps({"user_message": "hello", "conversation_id": value}).encode()
    answer = known.ask("streamChat", body=body)
    check_refusal(answer, "streamChat", "invalid-body")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/conversation_id"]


def test_an_escaped_id_is_the_id(known: Known) -> None:
    """RFC 3986, section 6.2.2.2."""
    escaped = "".join(f"%{ord(character):02x}" for character in known.conversation_id)
    assert known.ask("getConversation", ids=escaped).json()["conversation_id"] == known.conversation_id


def test_postgresql_never_sees_what_is_no_id() -> None:
    """It would take a NUL for a fault."""
    with something_known(LiveServer(database_url=fresh_database_url("postgresql"))) as known:
        for operation_id in (*OF_REPLIES, *OF_CONVERSATIONS):
            assert known.ask(operation_id, ids="%00").status == 404
        for operation_id in LISTS:
            answer = known.ask(operation_id, query=f"?cursor={NO_PAGE_CURSORS['of a NUL']}")
            check_refusal(answer, operation_id, "malformed-page-cursor")
