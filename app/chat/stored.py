"""What a store keeps of conversations, messages and replies, and the pages that it gives of them."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from app.chat.access import Principal
from app.chat.excerpts import Excerpt
from app.chat.model import FinishReason, ReplyState, Role, Usage
from app.chat.requests import Idempotency, Origin, ReplyRequest

Item = TypeVar("Item")
Position = TypeVar("Position")


@dataclass(slots=True, eq=False)
class ReplyRecord:
    """A reply to be stored, with the message that it answers. Mutable: the store saves its state at write time."""

    reply_id: str
    conversation_id: str
    position: int
    """Position of the user's message in the conversation, from 0; the reply is at the next one."""
    user_message: str
    created_ms: int
    """Milliseconds since 1970, UTC."""
    principal: Principal
    """The owner."""
    idempotency: Idempotency | None = None
    state: ReplyState = "running"
    finish_reason: FinishReason | None = None
    error_code: str | None = None
    usage: Usage | None = None
    text: str = ""
    words: int = 0
    """How many words `text` has."""
    replaces: str | None = None
    """The id of the failed reply to the same message that this one replaces."""
    follows: int | None = None
    """Position of the message before the user's, if that begins a branch; see `app.chat.branches`."""
    answers: int | None = None
    """Position of the message, if it is not at `position`, because there are other replies to it."""
    alias: str | None = None
    """The alias that the client knows the conversation by, which is started with it if there is none."""
    stored: bool = False
    """Whether the store has the reply, or may have it: from then on it is updated, never inserted."""
    origin: Origin | None = None
    """The request that started it. Not stored."""
    trace_id: str | None = None
    """The trace that it is in, if it is traced. Not stored."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the owner of a conversation thinks of a reply."""

    rating: Literal["up", "down"]
    note: str | None


@dataclass(frozen=True, slots=True)
class Fork:
    """The branches of which a message begins one."""

    index: int
    """Which of them that is."""
    reply_ids: tuple[str, ...]
    """A reply on each, in the order in which they were begun; see `Branches.newest_replies`."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message that was stored. The fields that only a reply has are `None` for a user's message."""

    role: Role
    text: str
    created_ms: int
    reply_id: str | None
    state: ReplyState | None
    finish_reason: FinishReason | None
    error_code: str | None
    usage: Usage | None
    words: int | None
    """`None` for replies that were stored before words were counted."""
    fork: Fork | None = None
    """Set if other messages follow the same one as this."""
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class ExportedMessage:
    """A message, and its place in the tree of messages."""

    position: int
    follows: int | None
    """The position of the message before it."""
    is_chosen: bool
    """Whether it is on the chosen branch."""
    message: StoredMessage


@dataclass(frozen=True, slots=True)
class RatedReply:
    """A reply that somebody has rated, and the message that it answers."""

    reply_id: str
    conversation_id: str
    created_ms: int
    """When it was rated."""
    feedback: Feedback
    user_message: str
    text: str


@dataclass(frozen=True, slots=True)
class NamedReply:
    """A reply, and what clients call its conversation."""

    reply_id: str
    conversation_name: str
    """The alias, or the id of one that has none."""


@dataclass(frozen=True, slots=True)
class KeyedReply:
    """The reply for an idempotency key."""

    fingerprint: str
    """Digest of the message, and of what it edits; or of what is regenerated."""
    reply_id: str
    conversation_id: str
    position: int
    """As in `ReplyRecord`."""
    has_failed: bool
    """Whether it failed or was interrupted: then a retry starts a new reply."""

    def answers(self, request: ReplyRequest) -> bool:
        """Whether the request repeats the original one; a retry may name the conversation that the original started."""
        is_here = request.conversation_id == self.conversation_id
        began_here = request.conversation_id is None and (self.position == 0 or request.beside is not None)
        is_same = request.idempotency is not None and request.idempotency.fingerprint == self.fingerprint
        return is_same and (is_here or began_here)


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation that was stored, without its messages."""

    conversation_id: str
    title: str
    created_ms: int
    updated_ms: int
    alias: str | None = None
    excerpt: Excerpt | None = None
    """Where the words of a search are in it, if they are in its messages."""


@dataclass(frozen=True, slots=True)
class ListPosition:
    """A position in the list of conversations: after the one with this time of last change and this id."""

    updated_ms: int
    conversation_id: str


@dataclass(frozen=True, slots=True)
class MessagesPage:
    """What is asked for of a conversation's messages."""

    limit: int
    cursor: int | None = None
    """The position of the first one."""
    newest_first: bool = False
    branch: str | None = None
    """The id of a reply: messages of the branch with it, instead of the chosen one."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item, Position]):
    """A page of a list, and the cursor of the next page, if there is one."""

    items: tuple[Item, ...]
    next_cursor: Position | None
