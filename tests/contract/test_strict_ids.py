"""Ids are accepted as strictly as the contract describes them: a value of another form names nothing."""

import json
from collections.abc import Iterator

import pytest

from tests.contract.asking import CANARY, NOBODY
from tests.contract.known import Known, check_refusal, something_known
from tests.support.server import LiveServer

OF_REPLIES = ["getReply", "headReply", "streamReply", "headReplyEvents", "cancelReply"]
OF_REPLIES += ["giveFeedback", "withdrawFeedback"]
OF_CONVERSATIONS = ["getConversation", "headConversation", "updateConversation", "deleteConversation"]
OF_CONVERSATIONS += ["exportConversation", "exportConversationAsMarkdown"]


@pytest.fixture(scope="module")
def known() -> Iterator[Known]:
    """The service, with data."""
    with something_known(LiveServer()) as known:
        yield known


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
    """404, whatever it is; the same as for an unknown id."""
    kind = "reply" if operation_id in OF_REPLIES else "conversation"
    real = known.reply_id if kind == "reply" else known.conversation_id
    ids = NO_IDS[name].format(id=real, upper=real.upper())
    check_refusal(known.ask(operation_id, ids=ids), operation_id, f"{kind}-not-found")


@pytest.mark.parametrize("value", ["", "a b", "a/b", "-a", ".", "ä", "a" * 129, "a\n", "\0" * 32, None, 7, [NOBODY]])
def test_what_is_no_id_in_a_body_gets_422(value: object, known: Known) -> None:
    """The error says where."""
    body = json.dumps({"user_message": "hello", "conversation_id": value}).encode()
    for operation_id in ("streamChat", "createReply"):
        answer = known.ask(operation_id, body=body)
        check_refusal(answer, operation_id, "invalid-body")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/conversation_id"]


def test_an_escaped_id_is_the_id(known: Known) -> None:
    """RFC 3986, section 6.2.2.2."""
    escaped = "".join(f"%{ord(character):02x}" for character in known.conversation_id)
    assert known.ask("getConversation", ids=escaped).json()["conversation_id"] == known.conversation_id
