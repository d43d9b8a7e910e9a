"""The part of a conversation that a model is sent, whatever happened to its replies."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.chat.errors import BotUnavailable, MessageRefused
from app.chat.history import Said, alternating, newest, remembered
from app.chat.model import FinishReason, Message

_texts = st.sampled_from(["", "a", "b c", "d\n\ne"])
_messages = st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), _texts), max_size=8)
_reasons: list[FinishReason | None] = ["stop", "length", "content_filter", "cancelled", None]
_said = st.lists(
    st.one_of(
        st.builds(Said, st.just("user"), _texts),
        st.builds(
            Said,
            st.just("assistant"),
            _texts,
            st.sampled_from(_reasons),
            st.sampled_from([None, MessageRefused.code, BotUnavailable.code]),
        ),
    ),
    max_size=10,
)


def _roles(messages: tuple[Message, ...]) -> list[str]:
    return [message.role for message in messages]


@given(_messages)
def test_what_is_sent_begins_with_a_user_and_alternates(messages: list[Message]) -> None:
    """Whatever the input; the user's last message is the last one, with its whole text."""
    turns = alternating([*messages, Message("user", "now")])
    assert _roles(turns) == (["user", "assistant"] * len(turns))[: len(turns)]
    assert turns[-1].role == "user"
    assert turns[-1].text.endswith("now")
    assert sum(turn.text.count("a") for turn in turns if turn.role == "user") == sum(
        message.text.count("a") for message in messages if message.role == "user"
    )


@given(_said)
def test_history_has_whole_turns_and_nothing_that_was_refused(said: list[Said]) -> None:
    """So that anything may follow it, and nothing in it makes an engine refuse again."""
    told = remembered(said)
    assert _roles(told) == ["user", "assistant"] * (len(told) // 2)
    assert all(message.text for message in told[1::2])
    assert [message.text for message in told[1::2]] == [
        answer.text
        for question, answer in pairwise(said)
        if question.role == "user" and answer.role == "assistant" and answer.text and not answer.was_refused
    ]


@given(st.lists(_texts, max_size=5), st.integers(-1, 20))
def test_the_newest_turns_are_kept_whole(texts: list[str], room: int) -> None:
    """Always the last message; before it, only whole turns."""
    messages = [Message(role, text) for text in texts for role in ("user", "assistant")]
    messages.append(Message("user", "now"))
    kept = newest(messages, room, lambda message: len(message.text))
    assert list(kept) == messages[len(messages) - len(kept) :]
    assert len(kept) % 2 == 1
    size = sum(len(message.text) for message in kept)
    assert len(kept) == 1 or size <= room
    if len(kept) < len(messages):
        assert size + sum(len(message.text) for message in messages[-len(kept) - 2 : -len(kept)]) > room


def test_what_one_role_says_in_a_row_is_one_message() -> None:
    """Nothing is lost except what an assistant says before the first user message."""
    messages = [Message("assistant", "Welcome!"), Message("user", "a"), Message("user", "b"), Message("assistant", "c")]
    assert alternating(messages) == (Message("user", "a\n\nb"), Message("assistant", "c"))


def test_a_message_that_was_refused_or_not_answered_is_not_told_again() -> None:
    """Because of a model's filter or an outage; a reply that was cut off has its text."""
    said = [
        Said("user", "one"),
        Said("assistant", "1", "stop"),
        Said("user", "bad"),
        Said("assistant", "", error_code=MessageRefused.code),
        Said("user", "two"),
        Said("assistant", "", error_code=BotUnavailable.code),
        Said("user", "worse"),
        Said("assistant", "Wel", "content_filter"),
        Said("user", "three"),
        Said("assistant", "3", error_code=BotUnavailable.code),
    ]
    assert [message.text for message in remembered(said)] == ["one", "1", "three", "3"]
