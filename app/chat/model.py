"""What a chat is made of: conversations, messages, replies and how they end.

Owns the terms of the domain. Knows nothing of HTTP, SQL or any model's API; `app.chat.ports` has what the domain asks
of its adapters.
"""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from app.chat.access import Principal
from app.chat.errors import ChatError

Item = TypeVar("Item")
Position = TypeVar("Position")
FinishReason = Literal["stop", "length", "content_filter", "cancelled", "abandoned"]
Role = Literal["user", "assistant"]
ReplyState = Literal["running", "completed", "cancelled", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said so far, oldest first. The last message is the user's, and awaits its reply."""

    messages: tuple[Message, ...]

    @property
    def user_message(self) -> str:
        """The text that awaits a reply."""
        return self.messages[-1].text


@dataclass(frozen=True, slots=True)
class Usage:
    """What a reply has cost, in the model's tokens."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Finish:
    """What a bot may yield as its last item, when there is more to say about the end than that it came."""

    reason: FinishReason
    usage: Usage | None = None
    omitted_messages: int = 0
    """So many of the conversation's earliest messages the model has not seen, for they did not fit."""


@dataclass(frozen=True, slots=True)
class Done:
    """A reply's good end."""

    text: str
    finish_reason: FinishReason
    usage: Usage | None = None
    omitted_messages: int = 0
    """As in `Finish`."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A reply's bad end."""

    error: ChatError


End = Done | Failed


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What tells a retry from a new request: the client's key, and a digest of the message."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What a principal asks for: a reply to a message."""

    message: str
    principal: Principal
    conversation_id: str | None = None
    """The conversation to continue; `None` starts a new one."""
    idempotency: Idempotency | None = None
    continues_unread: bool = False
    """Whether the reply goes on when nobody reads it any more."""


@dataclass(slots=True, eq=False)
class ReplyRecord:
    """A reply as it is to be stored, with the message that it answers. The store saves what it finds when it saves."""

    reply_id: str
    conversation_id: str
    position: int
    """Of the user's message in the conversation, from 0; the reply is the next one."""
    user_message: str
    created_ms: int
    """Milliseconds since 1970, UTC."""
    principal: Principal
    """Whose it is."""
    idempotency: Idempotency | None = None
    state: ReplyState = "running"
    finish_reason: FinishReason | None = None
    error_code: str | None = None
    usage: Usage | None = None
    text: str = ""
    words: int = 0
    """How many words `text` has."""
    replaces: str | None = None
    """The failed reply to the same message that this one takes the place of."""
    stored: bool = False
    """Whether the store has the reply, or may have it: from then on it is changed where it is, and never added."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message that was stored. What only a reply has is absent from a user's."""

    role: Role
    text: str
    created_ms: int
    reply_id: str | None
    state: ReplyState | None
    finish_reason: FinishReason | None
    error_code: str | None
    usage: Usage | None
    words: int | None
    """Absent from replies that were stored before words were counted."""


@dataclass(frozen=True, slots=True)
class KeyedReply:
    """The reply that an idempotency key got."""

    fingerprint: str
    """Of the message."""
    reply_id: str
    conversation_id: str
    position: int
    """Of the user's message in the conversation."""
    has_failed: bool
    """Whether it failed or was interrupted: then it does not count."""

    def answers(self, request: ReplyRequest) -> bool:
        """Whether a request with this key asks for the same: a retry may name the conversation that it began."""
        is_here = request.conversation_id == self.conversation_id
        began_here = request.conversation_id is None and self.position == 0
        is_same = request.idempotency is not None and request.idempotency.fingerprint == self.fingerprint
        return is_same and (is_here or began_here)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A reply as it stands."""

    reply_id: str
    conversation_id: str
    state: ReplyState
    text: str
    words: int
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    error: ChatError | None = None
    """Of a reply that failed or was interrupted."""
    omitted_messages: int = 0
    """How many earlier messages the bot did not see. Not stored."""


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation that was stored, without its messages."""

    conversation_id: str
    title: str
    created_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class ListPosition:
    """A place in the list of conversations: behind the one that was last changed then, and has this id."""

    updated_ms: int
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Item, Position]):
    """A part of a list, and where the next part begins, if there is one."""

    items: tuple[Item, ...]
    next_cursor: Position | None
