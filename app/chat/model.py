"""The domain model: conversations, messages, replies and how they end.

Knows nothing about HTTP, SQL or any model's API; what the domain requires of its adapters is in `app.chat.ports`.
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
class Idempotency:
    """Distinguishes a retry from a new request: the client's key and a digest of what is asked."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a request besides what it asks for; for the log, and for traces."""

    request_id: str
    """As in the response."""
    trace_parent: str | None = None
    """Its `traceparent` (W3C Trace Context), if it has a valid one."""
    trace_state: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The trace that the request belongs to."""
        return self.trace_parent.split("-")[1] if self.trace_parent else None


@dataclass(frozen=True, slots=True)
class Beside:
    """Where a new reply goes if it does not go behind the last message."""

    reply_id: str
    """The reply that it goes beside, or takes the place of."""
    way: Literal["edits", "regenerates", "retries"]
    """Whether the message that `reply_id` answers is edited, answered anew, or answered again in the same place."""


@dataclass(frozen=True, slots=True)
class Behind:
    """Where a new turn goes, as a client that shows the conversation sees it: behind a reply.

    If the message is there already, with the same text, it is answered anew.
    """

    reply_id: str | None
    """`None` is the beginning of the conversation. One that is not in it stands for the chosen branch."""
    message: str


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a principal's conversation, as it is asked for: `conversation_id` or `beside` says which one it is."""

    principal: Principal
    conversation_id: str | None = None
    beside: Beside | None = None
    behind: Behind | None = None
    """Only with `conversation_id`, and without `beside`."""


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """A principal's request for a reply to a message."""

    message: str
    """Empty if `beside` regenerates a reply."""
    principal: Principal
    conversation_id: str | None = None
    """The conversation to continue; `None` starts a new one, unless `beside` says which."""
    alias: str | None = None
    """If no conversation has this id, one is started with this alias, whose id it is."""
    beside: Beside | None = None
    behind: Behind | None = None
    idempotency: Idempotency | None = None
    continues_unread: bool = False
    """Whether the reply keeps running after its last reader has left."""
    cancels_running: bool = False
    """Whether a reply that is running in the conversation is cancelled, instead of refusing the request."""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place for a turn in a conversation, and the conversation before it."""

    conversation_id: str
    position: int
    """As in `ReplyRecord`, as the next two."""
    follows: int | None = None
    answers: int | None = None
    message: str | None = None
    """The message that is answered, if it is stored already."""
    history: tuple[Message, ...] = ()
    """The latest messages on the way to it, oldest first, within the bounds of what a bot is told."""


@dataclass(frozen=True, slots=True)
class UnstoredRequest:
    """A principal's request for a reply to a conversation that came with it: neither of them is stored."""

    conversation: Conversation
    principal: Principal
    idempotency: Idempotency | None = None
    origin: Origin | None = None


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
    """The alias of the conversation that the message starts."""
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
    fork: "Fork | None" = None
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
class Fork:
    """The branches of which a message begins one."""

    index: int
    """Which of them that is."""
    reply_ids: tuple[str, ...]
    """A reply on each, in the order in which they were begun; see `Branches.newest_replies`."""


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


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation that was stored, without its messages."""

    conversation_id: str
    title: str
    created_ms: int
    updated_ms: int
    alias: str | None = None


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
