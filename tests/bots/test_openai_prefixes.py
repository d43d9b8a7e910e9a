"""A conversation may end with the beginning of its answer: whatever is left out of it, the question stays with it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bots.window import shorter
from app.chat.errors import BotFailed, ChatError, MessageRefused
from app.chat.history import alternating
from app.chat.model import Conversation, Message, Role
from tests.bots.asking import WHOLE, ask, asking
from tests.support.completions import DONE, answer, stream
from tests.support.engine import FakeEngine, Script

_TOLD = "This model's maximum context length is 4096 tokens. However, your messages resulted in 9000 tokens."
_EMPTY = stream(DONE)
_ROLES: tuple[Role, Role] = ("user", "assistant")


def beginning(turns: int) -> Conversation:
    """A conversation of this many turns, the last answer of which is to be continued."""
    return Conversation(tuple(Message(role, f"{role} {n}") for n in range(turns) for role in _ROLES))


async def roles_sent(*scripts: Script, conversation: Conversation) -> tuple[ChatError | None, list[list[str]]]:
    """How the reply fails, and the roles of the messages in each request."""
    engine = FakeEngine(*scripts)
    async with asking(engine) as bot:
        heard = await ask(bot, conversation)
    return heard.error, [[message["role"] for message in request.body["messages"]] for request in engine.exchanges]


@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (answer(400, {"error": {"message": _TOLD}}), MessageRefused),
        (answer(400, {"error": "context length exceeded"}), MessageRefused),
        (answer(413), MessageRefused),
        (_EMPTY, BotFailed),
    ],
    ids=["with numbers", "without", "413", "an empty response"],
)
async def test_what_is_too_long_is_asked_once_for_each_turn(
    refusal: Script, error: type[ChatError], turns: int
) -> None:
    """Then nothing more can be left out. The same request again would be refused again, for ever."""
    failed, roles = await roles_sent(*[refusal] * turns, WHOLE, conversation=beginning(turns))
    assert type(failed) is error
    assert roles == [[*_ROLES] * left for left in range(turns, 0, -1)]


@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_what_a_filter_forbids_is_asked_once_more_with_its_question(turns: int) -> None:
    """An answer without its question is no conversation: no engine has a use for it."""
    refusal = answer(400, {"error": {"code": "content_filter"}})
    failed, roles = await roles_sent(*[refusal] * min(turns, 2), WHOLE, conversation=beginning(turns))
    assert type(failed) is MessageRefused
    assert roles == [[*_ROLES] * turns, [*_ROLES]][: min(turns, 2)]


@given(
    st.lists(st.sampled_from(_ROLES), max_size=12).map(lambda roles: ["user", *roles]),
    st.integers(0, 400) | st.just(math.inf),
)
def test_leaving_out_ends_with_the_last_turn(roles: list[Role], room: float) -> None:
    """Each step leaves out at least one turn, as long as there is another one than the last."""
    messages = alternating(Message(role, f"{role} {n}") for n, role in enumerate(roles))
    last = messages[-2:] if messages[-1].role == "assistant" else messages[-1:]
    left = messages
    while len(left) > len(last):
        before, left = left, tuple(shorter(left, room))
        assert len(left) < len(before)
        assert left[-len(last) :] == last
        assert left[0].role == "user"
    assert shorter(left, room) == last
