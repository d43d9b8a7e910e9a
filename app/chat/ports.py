"""What the domain asks of its adapters: bots, logs of running replies, a store, and who counts words."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol

from app.chat.access import Principal
from app.chat.model import (
    Conversation,
    End,
    Finish,
    KeyedReply,
    ListPosition,
    Message,
    Page,
    ReplyRecord,
    StoredConversation,
    StoredMessage,
    Usage,
)


class Bot(Protocol):
    """Turns a conversation into a stream of text deltas.

    A bot that holds something for longer than a reply, such as connections, is an async context manager besides: it is
    entered before the first reply, and left after the last. One that may have to say "not now" has an attribute or
    property `is_ready`; while that is false, so is the service's readiness.
    """

    def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """Yield the reply's text in pieces of any size, and at most one `Finish`, last.

        An empty piece is a sign of life. A `Usage` may come at any time, and again: what the reply has cost so far,
        which is told of a reply that does not get to its `Finish`.

        Closing the generator must stop the work behind it. Raise a `ChatError` for what the user should know of.
        """
        ...


class Meter(Protocol):
    """Counts the words that somebody is told: once a reply, however often that is read."""

    async def allow(self) -> None:
        """Return if there may be more. Raises a `ChatError`."""
        ...

    def charge(self, words: int) -> None:
        """A reply is over that had so many."""
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
        self, conversation_id: str, principal: Principal, limit: int, characters: int, before: int | None = None
    ) -> tuple[int, tuple[Message, ...]]:
        """How many messages a principal's conversation has, and the last of them, oldest first, within bounds.

        With `before`, only messages at positions before that one. Raises `ConversationNotFound`, and `ConversationBusy`
        if a reply is running in it, wherever that is.
        """
        ...

    async def reply(self, reply_id: str, principal: Principal) -> tuple[str, StoredMessage] | None:
        """A principal's reply and its conversation's id."""
        ...

    async def reply_for(self, key: str) -> KeyedReply | None:
        """The reply that an idempotency key got."""
        ...

    async def conversations(
        self, principal: Principal, limit: int, cursor: ListPosition | None
    ) -> Page[StoredConversation, ListPosition]:
        """A page of a principal's conversations, the one that was last spoken in first."""
        ...

    async def messages(
        self,
        conversation_id: str,
        principal: Principal | None,
        limit: int,
        cursor: int | None,
        *,
        newest_first: bool = False,
    ) -> tuple[StoredConversation, Page[StoredMessage, int]]:
        """A principal's conversation, or anybody's for `None`, and a page of its messages, oldest first by default.

        Raises `ConversationNotFound`.
        """
        ...

    async def delete(self, conversation_id: str, principal: Principal) -> None:
        """Forget a principal's conversation and all that was said in it.

        Raises `ConversationNotFound`.
        """
        ...
