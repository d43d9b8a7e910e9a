"""`Last-Event-ID`, `lastEventId` and `Idempotency-Key` are accepted as strictly as the contract describes them.

Nearly every wrong one has a canary. None may be returned.
"""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.contract.asking import CANARY, NOBODY
from tests.contract.document import check_response
from tests.contract.known import Known, check_refusal, something_known, told
from tests.support.server import LiveServer
from tests.support.stream import check_stream


@pytest.fixture(scope="module")
def known() -> Iterator[Known]:
    """The service, with data."""
    with something_known(LiveServer()) as known:
        yield known


NO_CURSORS: dict[str, list[str]] = {
    "a word": [CANARY],
    "an id alone": ["{id}"],
    "a number alone": ["1"],
    "no number": ["{id}:"],
    "no id": [":1"],
    "a negative number": ["{id}:-1"],
    "a number with a sign": ["{id}:+1"],
    "a number with a zero too many": ["{id}:01"],
    "a fraction": ["{id}:1.0"],
    "another base": ["{id}:0x1"],
    "other digits": ["{id}:\xd9\xa1"],
    "a number out of bounds": ["{id}:10000000000"],
    "a number in no bounds": ["{id}:" + "9" * 5000],
    "three parts": ["{id}:1:1"],
    "a blank inside": ["{id}: 1"],
    "in quotes": ['"{id}:1"'],
    "an id in upper case": ["A" * 32 + ":1"],
    "an id too short": ["a" * 31 + ":1"],
    "an id too long": ["a" * 33 + ":1"],
    "two at once": ["{id}:1, {id}:1"],
    "two lines": ["{id}:1", "{id}:1"],
    "a line and an empty one": ["{id}:1", ""],
    "bytes": ["\xff\x80"],
    "a very long one": [CANARY * 1000],
}


@pytest.mark.parametrize("operation_id", ["streamChat", "streamReply"])
@pytest.mark.parametrize("name", NO_CURSORS)
def test_a_cursor_of_another_form_gets_400(name: str, operation_id: str, known: Known) -> None:
    """Before any event."""
    lines = [f"Last-Event-ID: {value.replace('{id}', known.reply_id)}" for value in NO_CURSORS[name]]
    check_refusal(known.ask(operation_id, *lines), operation_id, "malformed-cursor")


IN_NO_QUERY = {"a very long one", "two lines", "a line and an empty one"}


@pytest.mark.parametrize("name", sorted(NO_CURSORS.keys() - IN_NO_QUERY))
def test_a_cursor_of_another_form_gets_400_in_the_query_too(name: str, known: Known) -> None:
    """By the same rule."""
    (value,) = NO_CURSORS[name]
    query = f"?lastEventId={quote(value.replace('{id}', known.reply_id), encoding='latin-1')}"
    check_refusal(known.ask("streamReply", query=query), "streamReply", "malformed-cursor")


NO_QUERIES = {
    "a parameter twice": ("lastEventId={id}:0&lastEventId={id}:0", "malformed-page"),
    "another parameter": (f"{CANARY}={CANARY}", "unknown-parameter"),
    "another parameter beside it": (f"lastEventId={{id}}:0&{CANARY}", "unknown-parameter"),
    "its name in other letters": ("lasteventid={id}:0", "unknown-parameter"),
    "the name of the header": ("Last-Event-ID={id}:0", "unknown-parameter"),
    "a page": ("limit=1", "unknown-parameter"),
}


@pytest.mark.parametrize("operation_id", ["streamReply", "headReplyEvents"])
@pytest.mark.parametrize("name", NO_QUERIES)
@pytest.mark.parametrize("lines", [[], ["Last-Event-ID: {id}:0"]], ids=["alone", "with the header"])
def test_a_query_of_another_form_gets_400(lines: list[str], name: str, operation_id: str, known: Known) -> None:
    """Whether or not it would be used."""
    query, code = NO_QUERIES[name]
    headers = [line.replace("{id}", known.reply_id) for line in lines]
    answer = known.ask(operation_id, *headers, query="?" + query.replace("{id}", known.reply_id))
    check_refusal(answer, operation_id, code)


WRONG_CURSORS = {
    "a word too far": ("{id}:2", "cursor-ahead", "cursor-ahead"),
    "a word out of sight": ("{id}:9999999999", "cursor-ahead", "cursor-ahead"),
    "nobody's": (f"{NOBODY}:1", "reply-not-found", "cursor-of-another-reply"),
    "the beginning of nobody's": (f"{NOBODY}:0", "reply-not-found", "cursor-of-another-reply"),
}


@pytest.mark.parametrize("name", WRONG_CURSORS)
def test_a_cursor_that_fits_nothing_is_refused(name: str, known: Known) -> None:
    """By the reply's own path, where the message was sent, and in the query."""
    cursor, of_chat, of_reply = WRONG_CURSORS[name]
    value = cursor.replace("{id}", known.reply_id)
    check_refusal(known.ask("streamChat", f"Last-Event-ID: {value}"), "streamChat", of_chat)
    check_refusal(known.ask("streamReply", f"Last-Event-ID: {value}"), "streamReply", of_reply)
    check_refusal(known.ask("streamReply", query=f"?lastEventId={value}"), "streamReply", of_reply)


@pytest.mark.parametrize("operation_id", ["streamChat", "streamReply"])
@pytest.mark.parametrize(("cursor", "read"), [("{id}:0", 0), ("{id}:1", 1), (" \t{id}:1 ", 1)])
def test_a_good_cursor_goes_on_with_the_same_reply(operation_id: str, cursor: str, read: int, known: Known) -> None:
    """Nothing new is started."""
    answer = known.ask(operation_id, f"Last-Event-ID: {cursor.replace('{id}', known.reply_id)}")
    assert (answer.status, answer.headers["reply-id"]) == (200, known.reply_id)
    check_response(answer, operation_id, after=read)


@pytest.mark.parametrize(
    ("lines", "query", "read"),
    [
        ([], "?lastEventId={id}:1", 1),
        ([], "?lastEventId={id}%3A1", 1),
        ([], "?lastEventId=", 0),
        (["Last-Event-ID: {id}:0"], "?lastEventId={id}:1", 0),
        (["Last-Event-ID: {id}:1"], "?lastEventId=", 1),
        (["Last-Event-ID:"], "?lastEventId={id}:1", 1),
    ],
)
def test_a_cursor_in_the_query_counts_where_the_header_says_nothing(
    lines: list[str], query: str, read: int, known: Known
) -> None:
    """For clients that cannot set the header; a browser sends it by itself on reconnect."""
    headers = [line.replace("{id}", known.reply_id) for line in lines]
    answer = known.ask("streamReply", *headers, query=query.replace("{id}", known.reply_id))
    assert answer.status == 200
    assert check_stream(answer.content, read).words == ("hello",)[read:]


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_cursor_is_none(value: str, known: Known) -> None:
    """The message gets a new reply, and the reply is read from its start."""
    begun = known.ask("streamChat", f"Last-Event-ID:{value}")
    assert begun.transcript().reply.reply_id not in {known.reply_id, NOBODY}
    assert known.ask("streamReply", f"Last-Event-ID:{value}").transcript().text == "hello"


def test_where_the_reply_is_had_as_json_no_cursor_counts(known: Known) -> None:
    """It is not documented there: a new reply is started."""
    answer = known.ask("createReply", f"Last-Event-ID: {known.reply_id}:1")
    assert answer.json()["reply_id"] != known.reply_id
    check_response(answer, "createReply")


NO_KEYS: dict[str, list[str]] = {
    "empty": [""],
    "a blank inside": [f"{CANARY} {CANARY}"],
    "a tab inside": [f"{CANARY}\t{CANARY}"],
    "a character too many": ["x" * 256],
    "many characters too many": [CANARY * 1000],
    "a letter beyond ASCII": [f"{CANARY}\xc3\xa9"],
    "bytes": [f"{CANARY}\xff"],
    "two lines": [CANARY, CANARY],
    "a line and an empty one": [CANARY, ""],
}


@pytest.mark.parametrize("operation_id", ["streamChat", "createReply"])
@pytest.mark.parametrize("name", NO_KEYS)
def test_a_key_of_another_form_gets_400(name: str, operation_id: str, known: Known) -> None:
    """Rather than be truncated to a form that another key may have."""
    lines = [f"Idempotency-Key: {value}" for value in NO_KEYS[name]]
    check_refusal(known.ask(operation_id, *lines), operation_id, "malformed-idempotency-key")


@pytest.mark.parametrize("key", ["k", "".join(map(chr, range(0x21, 0x7F))), '"quoted"', "a,b", "x" * 255])
def test_a_key_may_have_any_visible_character(key: str, known: Known) -> None:
    """The second request gets the first one's reply from either operation; with another message, it is refused."""
    line = f"Idempotency-Key: {key}"
    first = told(known.server, line)
    assert told(known.server, line) == first
    assert known.ask("streamChat", line).headers["reply-id"] == first["reply_id"]
    for operation_id in ("streamChat", "createReply"):
        answer = known.ask(operation_id, line, body=b'{"user_message": "hallo"}')
        check_refusal(answer, operation_id, "idempotency-key-reused")


@pytest.mark.parametrize(
    "value", ["", CANARY, "00-" + "0" * 32 + "-" + "0" * 16 + "-00", "\xff", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"]
)
def test_a_trace_of_any_form_is_no_reason_to_refuse(value: str, known: Known) -> None:
    """W3C Trace Context says to ignore an invalid one."""
    assert known.ask("getConversation", f"traceparent: {value}").status == 200
