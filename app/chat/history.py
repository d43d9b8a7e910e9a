"""Selects the part of a conversation that a model is sent: it begins with a user message, and the roles alternate.

Many models' templates reject anything else, and an engine that rejects a conversation once would always reject it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.chat.errors import MessageRefused
from app.chat.model import FinishReason, Message, Role

_BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True)
class Said:
    """A stored message, reduced to what matters here. The last two fields are `None` for a user's message."""

    role: Role
    text: str
    finish_reason: FinishReason | None = None
    error_code: str | None = None

    @property
    def was_refused(self) -> bool:
        """Whether an engine rejected the message that this one answers, or this one's own content."""
        return self.finish_reason == "content_filter" or self.error_code == MessageRefused.code


def remembered(said: Sequence[Said]) -> tuple[Message, ...]:
    """The turns, oldest first, that have both a question and an answer.

    Refused turns are left out, because they would be refused again; an unanswered message was most likely sent again.
    """
    kept: list[Message] = []
    for question, answer in pairwise(said):
        if (question.role, answer.role) == ("user", "assistant") and answer.text and not answer.was_refused:
            kept += [Message("user", question.text), Message("assistant", answer.text)]
    return alternating(kept)


def alternating(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The same messages, starting at the first user message. Consecutive messages of one role are merged."""
    turns: list[Message] = []
    for message in messages:
        if message.role == "assistant" and not (turns and message.text):
            continue
        if turns and turns[-1].role == message.role:
            both = filter(None, (turns.pop().text, message.text))
            turns.append(Message(message.role, _BETWEEN.join(both)))
        else:
            turns.append(message)
    return tuple(turns)


def newest(messages: Sequence[Message], room: int, size: Callable[[Message], int]) -> Sequence[Message]:
    """The last of the alternating messages, and as many complete turns before it as fit in `room` with it.

    The last one is the user's, with or without the beginning of its answer.
    """
    start = len(messages) - (2 if messages[-1].role == "assistant" else 1)
    room -= sum(map(size, messages[start:]))
    for index in range(start - 2, -1, -2):
        room -= size(messages[index]) + size(messages[index + 1])
        if room < 0:
            break
        start = index
    return messages[start:]
