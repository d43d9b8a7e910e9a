"""Page queries are accepted as strictly as the contract describes them, and every position in a list is valid.

Nearly every wrong one has a canary. None may be returned.
"""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.asking import CANARY, NOBODY
from tests.contract.document import DOCUMENT, check_response
from tests.contract.known import Known, check_refusal, something_known
from tests.support.databases import fresh_database_url
from tests.support.server import LiveServer

OF_CONVERSATIONS = {"getConversation", "headConversation"}
LISTS = ["listConversations", "headConversations", "getConversation", "headConversation"]
PATTERNS = {
    name: parameter["schema"].get("pattern") for name, parameter in DOCUMENT["components"]["parameters"].items()
}


@pytest.fixture(scope="module")
def known() -> Iterator[Known]:
    """The service, with data."""
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
NO_BRANCHES = [
    *("branch=", "branch", f"branch={CANARY}", f"branch={NOBODY}0", f"branch={NOBODY[1:]}", f"branch={NOBODY}%00"),
    *("branch=" + "A" * 32, f"branch={NOBODY}&branch={NOBODY}", "branch=%D9%A0" * 32),
]
NO_ORDERS = ["order=", "order", "order=ASC", "order=1", f"order={CANARY}", "order=asc,desc", "order=asc&order=asc"]


@pytest.mark.parametrize("operation_id", LISTS)
@pytest.mark.parametrize("query", NO_PAGES)
def test_a_page_that_cannot_be_gets_400(query: str, operation_id: str, known: Known) -> None:
    """A limit is a whole number from 1 to 100, in one spelling, once."""
    check_refusal(known.ask(operation_id, query=f"?{query}"), operation_id, "malformed-page")


@pytest.mark.parametrize("query", NO_ORDERS)
def test_an_order_that_cannot_be_gets_400(query: str, known: Known) -> None:
    """There are two, in one spelling."""
    check_refusal(known.ask("getConversation", query=f"?{query}"), "getConversation", "malformed-page")


@pytest.mark.parametrize("query", NO_BRANCHES)
def test_a_branch_that_cannot_be_gets_400(query: str, known: Known) -> None:
    """It is named by the id of a reply, once."""
    check_refusal(known.ask("getConversation", query=f"?{query}"), "getConversation", "malformed-page")


@pytest.mark.parametrize("operation_id", LISTS)
@pytest.mark.parametrize(
    "query", ["Limit=1", f"{CANARY}={CANARY}", f"limit=1&{CANARY}", "=", "lastEventId=", "%6Cimits=1"]
)
def test_what_is_no_parameter_gets_400(query: str, operation_id: str, known: Known) -> None:
    """Otherwise a misspelt parameter would return another page than the requested one."""
    check_refusal(known.ask(operation_id, query=f"?{query}"), operation_id, "unknown-parameter")


def test_the_list_of_conversations_has_one_order(known: Known) -> None:
    """It does not accept another list's parameters."""
    check_refusal(known.ask("listConversations", query="?order=asc"), "listConversations", "unknown-parameter")


@pytest.mark.parametrize("operation_id", LISTS)
@pytest.mark.parametrize("query", ["", "limit=1", "limit=100", "limit=%31%30", "%6Cimit=1", "&&", "limit=1&"])
def test_a_page_that_can_be_is_given(query: str, operation_id: str, known: Known) -> None:
    """However it is escaped."""
    answer = known.ask(operation_id, query=f"?{query}")
    assert answer.status == 200
    check_response(answer, operation_id)


NO_PAGE_CURSORS = {
    "empty": "",
    "a word": CANARY,
    "much too long": CANARY * 200,
    "an escaped NUL": "%00",
    "bytes": "%FF",
    "a letter beyond ASCII": "%C3%A9",
    "other digits": "%D9%A1",
    "a path": "../../etc/passwd",
    "with a blank": "{own}%20",
    "with a blank in front": "+{own}",
    "with a line end": "{own}%0A",
    "with a sign": "-{own}",
    "with a letter more": "{own}x",
    "of the other list": "{other}",
}
NO_CURSORS_OF_THE_LIST = {
    "no id": "1",
    "no time": "-" + NOBODY,
    "a fraction": f"1.5-{NOBODY}",
    "a time beyond numbers": f"{'9' * 14}-{NOBODY}",
    "an id in upper case": "1-" + "A" * 32,
    "an id too short": "1-" + "0" * 31,
    "an id too long": "1-" + "0" * 33,
}
NO_CURSORS_OF_MESSAGES = ["00", "01", "-1", "1.0", "1e1", "9" * 10, "9" * 5000, "0x1", "1_0"]


@pytest.mark.parametrize("operation_id", LISTS)
@pytest.mark.parametrize("name", NO_PAGE_CURSORS)
def test_a_cursor_of_another_form_gets_400(name: str, operation_id: str, known: Known) -> None:
    """However similar it is to a valid one."""
    own, other = known.list_cursor, known.messages_cursor
    if operation_id in OF_CONVERSATIONS:
        own, other = other, own
    cursor = NO_PAGE_CURSORS[name].format(own=own, other=other)
    check_refusal(known.ask(operation_id, query=f"?cursor={cursor}"), operation_id, "malformed-page-cursor")


@pytest.mark.parametrize("name", NO_CURSORS_OF_THE_LIST)
def test_a_cursor_that_is_no_place_in_the_list_gets_400(name: str, known: Known) -> None:
    """A time and an id."""
    answer = known.ask("listConversations", query=f"?cursor={NO_CURSORS_OF_THE_LIST[name]}")
    check_refusal(answer, "listConversations", "malformed-page-cursor")


@pytest.mark.parametrize("cursor", NO_CURSORS_OF_MESSAGES)
def test_a_cursor_that_is_no_place_in_a_conversation_gets_400(cursor: str, known: Known) -> None:
    """A whole number, in one spelling."""
    answer = known.ask("getConversation", query=f"?cursor={cursor}")
    check_refusal(answer, "getConversation", "malformed-page-cursor")


@given(cursor=st.from_regex(PATTERNS["ConversationsCursor"], fullmatch=True), limit=st.integers(1, 100))
def test_every_cursor_of_the_pattern_is_a_place_in_the_list(cursor: str, limit: int, known: Known) -> None:
    """Whether or not a page returned it: the pattern is the whole truth."""
    answer = known.ask("listConversations", query=f"?cursor={cursor}&limit={limit}")
    assert answer.status == 200
    check_response(answer, "listConversations")


@given(
    cursor=st.from_regex(PATTERNS["MessagesCursor"], fullmatch=True),
    limit=st.integers(1, 100),
    order=st.sampled_from(["asc", "desc"]),
)
def test_every_cursor_of_the_pattern_is_a_place_in_a_conversation(
    cursor: str, limit: int, order: str, known: Known
) -> None:
    """After the last message there is an empty page, and a page that starts there in the other order."""
    answer = known.ask("getConversation", query=f"?cursor={cursor}&limit={limit}&order={order}")
    assert answer.status == 200
    check_response(answer, "getConversation")
    asked = range(min(int(cursor), 3), -1, -1) if order == "desc" else range(int(cursor), 4)
    assert len(answer.json()["messages"]) == min(limit, len(asked))


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_pages_of_messages_are_the_conversation_in_either_order(limit: int, known: Known) -> None:
    """Each message once; and newest first is the reverse of oldest first."""
    whole = known.ask("getConversation").json()["messages"]
    assert len(whole) == 4
    for order, expected in (("asc", whole), ("desc", whole[::-1])):
        assert list(walk(known, "getConversation", "messages", f"limit={limit}&order={order}")) == expected
    listed = known.ask("listConversations").json()["conversations"]
    assert list(walk(known, "listConversations", "conversations", f"limit={limit}")) == listed


def walk(known: Known, operation_id: str, field: str, query: str) -> Iterator[dict[str, str]]:
    """The items of all pages, in order."""
    cursor = ""
    while True:
        page = known.ask(operation_id, query=f"?{query}{cursor}").json()
        yield from page[field]
        if "next_cursor" not in page:
            return
        assert page[field]
        cursor = f"&cursor={page['next_cursor']}"


def test_postgresql_takes_every_place_and_never_sees_what_is_none() -> None:
    """It would fail on a NUL, an id of another form, or a number out of its range."""
    with something_known(LiveServer(database_url=fresh_database_url("postgresql"))) as known:
        for operation_id in ("getReply", "streamReply", "cancelReply", "getConversation", "deleteConversation"):
            assert known.ask(operation_id, ids="%00").status == 404
        for operation_id, cursors in (
            ("listConversations", [f"{'9' * 13}-{'f' * 32}", f"0-{NOBODY}", f"{'0' * 13}-{NOBODY}"]),
            ("getConversation", ["9" * 9, "0"]),
        ):
            for cursor in cursors:
                answer = known.ask(operation_id, query=f"?cursor={cursor}")
                assert answer.status == 200
                check_response(answer, operation_id)
            answer = known.ask(operation_id, query="?cursor=%00")
            check_refusal(answer, operation_id, "malformed-page-cursor")
