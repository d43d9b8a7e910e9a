"""What a chat is made of: conversations, messages, replies and how they end; and what the domain asks of its adapters.

Owns the words of the domain. Knows nothing of HTTP, SQL or any model's API.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from app.chat.access import Principal
from app.chat.errors import ChatError

Item = TypeVar("Item")
FinishReason = Literal["stop", "length", "content_filter", "cancelled"]
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
    """What tells a retry from a new request: the client's key, and a digest of what it asked."""

    key: str
    fingerprint: str


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


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What came with an idempotency key, and what became of it."""

    fingerprint: str
    reply_id: str
    is_void: bool
    """Whether the reply ended in failure before its first word: there is nothing to repeat."""


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation that was stored, without its messages."""

    conversation_id: str
    title: str
    created_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list, and where the next part begins, if there is one."""

    items: tuple[Item, ...]
    next_cursor: str | None


class Bot(Protocol):
    """Turns a conversation into a stream of text deltas.

    A bot that holds something for longer than a reply, such as connections, is an async context manager besides: it is
    entered before the first reply, and left after the last. One that may have to say "not now" has an attribute or
    property `is_ready`; while that is false, so is the service's readiness.
    """

    def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """Yield the reply's text in pieces of any size, and at most one `Finish`, last.

        An empty piece is a sign of life. A `Usage` may come at any time, and again: what the reply has cost so far,
        for the case that it does not come to its end.

        Closing the generator must stop the work behind it. Raise a `ChatError` for what the user should know of.
        """
        ...


class ReplyLog(Protocol):
    """The events of one reply: words, then one end. Append-only; a reader is nothing but how many words it has had."""

    @property
    def end(self) -> End | None:
        """The end, once it is there."""
        ...

    def __len__(self) -> int:
        """How many words there are."""
        ...

    def text(self) -> str:
        """All words so far, concatenated."""
        ...

    def append(self, words: Sequence[str]) -> None:
        """Add words and wake the listeners."""
        ...

    def close(self, end: End) -> None:
        """Add the end, once, and wake the listeners."""
        ...

    def read(self, after: int, limit: int) -> tuple[Sequence[str], End | None]:
        """Up to `limit` words that follow the first `after`, and the end if nothing but the end follows those."""
        ...

    def listen(self, notify: Callable[[], None]) -> None:
        """Call `notify`, which must not raise, whenever something was added."""
        ...

    def unlisten(self, notify: Callable[[], None]) -> None:
        """Undo `listen`."""
        ...


class Store(Protocol):
    """Conversations that outlive the process. All methods raise `StorageUnavailable` if the database does not play."""

    async def check(self) -> None:
        """Return if the database answers."""
        ...

    def save(self, record: ReplyRecord) -> "asyncio.Future[None]":
        """Done when what the record said at some moment since the call is safe on disk.

        Fails with `ReplyElsewhere`, too, if another instance was quicker to answer, or the conversation is gone.
        """
        ...

    async def history(
        self, conversation_id: str, principal: Principal, limit: int, characters: int
    ) -> tuple[int, tuple[Message, ...]]:
        """How many messages a principal's conversation has, and the last of them, oldest first, within bounds.

        Raises `ConversationNotFound`, and `ConversationBusy` if a reply is running in it, wherever that is.
        """
        ...

    async def reply(self, reply_id: str, principal: Principal) -> tuple[str, StoredMessage] | None:
        """A principal's reply and its conversation's id."""
        ...

    async def reply_for(self, key: str) -> StoredKey | None:
        """What came with an idempotency key, and what became of it."""
        ...

    async def forget_key(self, reply_id: str) -> None:
        """Let the idempotency key that a reply came with be used again."""
        ...

    async def conversations(self, principal: Principal, limit: int, cursor: str | None) -> Page[StoredConversation]:
        """A page of a principal's conversations, the one that was last spoken in first."""
        ...

    async def messages(
        self, conversation_id: str, principal: Principal | None, limit: int, cursor: str | None
    ) -> tuple[StoredConversation, Page[StoredMessage]]:
        """A principal's conversation, or anybody's for `None`, and a page of its messages, oldest first.

        Raises `ConversationNotFound`.
        """
        ...

    async def delete(self, conversation_id: str, principal: Principal) -> None:
        """Forget a principal's conversation and all that was said in it.

        Raises `ConversationNotFound`.
        """
        ...
