"""What of a conversation is told to a model: it begins with a user's message, and the roles alternate.

Many models' templates refuse anything else, and an engine that has refused a conversation once would do so for ever.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.chat.errors import MessageRefused
from app.chat.model import FinishReason, Message, Role

_BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True)
class Said:
    """A stored message, as far as it matters here. What only a reply has is absent from a user's."""

    role: Role
    text: str
    finish_reason: FinishReason | None = None
    error_code: str | None = None

    @property
    def was_refused(self) -> bool:
        """Whether what it answers, or what it says itself, is what an engine does not take."""
        return self.finish_reason == "content_filter" or self.error_code == MessageRefused.code


def remembered(said: Sequence[Said]) -> tuple[Message, ...]:
    """The turns, oldest first, that have both a question and an answer.

    What was refused is not told again, for it would be refused again; what was not answered was most likely sent again.
    """
    kept: list[Message] = []
    for question, answer in pairwise(said):
        if (question.role, answer.role) == ("user", "assistant") and answer.text and not answer.was_refused:
            kept += [Message("user", question.text), Message("assistant", answer.text)]
    return alternating(kept)


def alternating(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The same, from the first message of a user's on. What one role says in a row becomes one message."""
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
    """Of messages that alternate, the last one, and as many whole turns before it as have room with it."""
    start = len(messages) - 1
    room -= size(messages[start])
    for index in range(start - 2, -1, -2):
        room -= size(messages[index]) + size(messages[index + 1])
        if room < 0:
            break
        start = index
    return messages[start:]
