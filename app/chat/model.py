"""The domain model: conversations, messages, replies and how they end.

Knows nothing about HTTP, SQL or any model's API. What is asked for is in `app.chat.requests`, what is stored in
`app.chat.stored`, and what the domain requires of its adapters in `app.chat.ports`.
"""

from dataclasses import dataclass
from typing import Literal

from app.chat.errors import ChatError

FinishReason = Literal["stop", "length", "content_filter", "cancelled", "abandoned"]
Role = Literal["user", "assistant"]
ReplyState = Literal["running", "completed", "cancelled", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a request asks of a model for its reply; `None` leaves it to the operator's settings."""

    temperature: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    """The reply ends before the first of these texts. None of them is empty."""


AS_CONFIGURED = Sampling()


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages so far, oldest first. The last one is the user's and awaits a reply.

    Only a conversation that came with its request may end with the beginning of that reply, for a model to continue.
    """

    messages: tuple[Message, ...]
    instructions: str | None = None
    """What the request tells the model, in addition to the operator's system prompt."""
    sampling: Sampling = AS_CONFIGURED

    @property
    def user_message(self) -> str:
        """The text that awaits a reply."""
        return next(message.text for message in reversed(self.messages) if message.role == "user")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a reply cost, in the model's tokens."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Finish:
    """A bot's optional last item: details of how the reply ended."""

    reason: FinishReason
    usage: Usage | None = None
    omitted_messages: int = 0
    """How many of the conversation's earliest messages the model did not see, because they did not fit."""


@dataclass(frozen=True, slots=True)
class Done:
    """The successful end of a reply."""

    text: str
    finish_reason: FinishReason
    usage: Usage | None = None
    omitted_messages: int = 0
    """As in `Finish`."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The failed end of a reply."""

    error: ChatError


End = Done | Failed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The current state of a reply."""

    reply_id: str
    conversation_id: str
    state: ReplyState
    text: str
    words: int
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    error: ChatError | None = None
    """Set if the reply failed or was interrupted."""
    omitted_messages: int = 0
    """How many earlier messages the bot did not see. Not stored."""
