"""`Last-Event-ID` and `Idempotency-Key` are taken as strictly as the contract describes them.

Nearly every wrong one has a canary. None may come back.
"""

from collections.abc import Iterator

import pytest

from tests.contract.asking import CANARY, NOBODY
from tests.contract.document import check_response
from tests.contract.known import Known, check_refusal, something_known, told
from tests.support.server import LiveServer


@pytest.fixture(scope="module")
def known() -> Iterator[Known]:
    """What there is."""
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


WRONG_CURSORS = {
    "a word too far": ("{id}:2", "cursor-ahead", "cursor-ahead"),
    "a word out of sight": ("{id}:9999999999", "cursor-ahead", "cursor-ahead"),
    "nobody's": (f"{NOBODY}:1", "reply-not-found", "foreign-cursor"),
    "the beginning of nobody's": (f"{NOBODY}:0", "reply-not-found", "foreign-cursor"),
}


@pytest.mark.parametrize("name", WRONG_CURSORS)
def test_a_cursor_that_fits_nothing_is_refused(name: str, known: Known) -> None:
    """By the reply's own path, and where the message was sent."""
    cursor, of_chat, of_reply = WRONG_CURSORS[name]
    line = f"Last-Event-ID: {cursor.replace('{id}', known.reply_id)}"
    check_refusal(known.ask("streamChat", line), "streamChat", of_chat)
    check_refusal(known.ask("streamReply", line), "streamReply", of_reply)


@pytest.mark.parametrize("operation_id", ["streamChat", "streamReply"])
@pytest.mark.parametrize(("cursor", "read"), [("{id}:0", 0), ("{id}:1", 1), (" \t{id}:1 ", 1)])
def test_a_good_cursor_goes_on_with_the_same_reply(operation_id: str, cursor: str, read: int, known: Known) -> None:
    """Nothing new is started."""
    answer = known.ask(operation_id, f"Last-Event-ID: {cursor.replace('{id}', known.reply_id)}")
    assert (answer.status, answer.headers["reply-id"]) == (200, known.reply_id)
    check_response(answer, operation_id, after=read)


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_cursor_is_none(value: str, known: Known) -> None:
    """The message gets a new reply, and the reply comes from its beginning."""
    begun = known.ask("streamChat", f"Last-Event-ID:{value}")
    assert begun.transcript().reply.reply_id not in {known.reply_id, NOBODY}
    assert known.ask("streamReply", f"Last-Event-ID:{value}").transcript().text == "hello"


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


@pytest.mark.parametrize("name", NO_KEYS)
def test_a_key_of_another_form_gets_400(name: str, known: Known) -> None:
    """Rather than be cut to a form that another key may have."""
    lines = [f"Idempotency-Key: {value}" for value in NO_KEYS[name]]
    check_refusal(known.ask("streamChat", *lines), "streamChat", "malformed-idempotency-key")


@pytest.mark.parametrize("key", ["k", "".join(map(chr, range(0x21, 0x7F))), '"quoted"', "a,b", "x" * 255])
def test_a_key_may_have_any_visible_character(key: str, known: Known) -> None:
    """The second request gets the reply of the first."""
    replies = {told(known.server, f"Idempotency-Key: {key}")["reply_id"] for _ in range(2)}
    assert len(replies) == 1
