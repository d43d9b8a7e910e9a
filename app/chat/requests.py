"""What a principal asks for: a reply, and the place in a conversation where it goes."""

from dataclasses import dataclass
from typing import Literal

from app.chat.access import Principal
from app.chat.model import Conversation, Message


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
    if_alone: bool = False
    """Whether to go on with the chosen branch instead, unless it is this message and its reply, and nothing more."""


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
