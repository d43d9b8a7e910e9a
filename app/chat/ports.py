"""What the domain requires of its adapters: bots, logs of running replies, a store, and a meter for words."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Protocol

from app.chat.access import Principal
from app.chat.model import Conversation, End, Finish, Usage
from app.chat.requests import Place, Where
from app.chat.stored import (
    ExportedMessage,
    Feedback,
    KeyedReply,
    ListPosition,
    MessagesPage,
    NamedReply,
    Page,
    ReplyRecord,
    StoredConversation,
    StoredMessage,
)

Deltas = AsyncGenerator[str | Usage | Finish, None]
"""What a bot yields."""


class Bot(Protocol):
    """Turns a conversation into a stream of text deltas.

    A bot that holds resources for longer than a reply, such as connections, is also an async context manager: it is
    entered before the first reply and exited after the last. A bot that may be temporarily unavailable has an attribute
    or property `is_ready`; while that is false, the service reports that it is not ready. A bot whose model counts
    tokens has a true attribute `counts_tokens`, and obeys `max_tokens` of a conversation's `sampling`; for any other,
    each word counts as a token. No bot has to obey `stop`: a reply is cut in any case.
    """

    def reply(self, conversation: Conversation) -> Deltas:
        """Yield the reply's text in deltas of any size, then at most one `Finish`.

        An empty delta is a sign of life. A `Usage` may be yielded at any time, repeatedly: the cost so far, which is
        reported for a reply that does not reach its `Finish`.

        Closing the generator must stop the work behind it. Raise a `ChatError` for failures that clients should see.
        """
        ...


class Meter(Protocol):
    """Counts the words generated for a client: once per reply, however often it is read."""

    async def allow(self) -> None:
        """Return if another reply is allowed. Raises a `ChatError`."""
        ...

    def charge(self, words: int) -> None:
        """Record a finished reply of this many words."""
        ...


Listener = Callable[[int, Sequence[str]], None]
"""Is told, in that step, how many words a log had and which were added; none if it is the end, or anything else."""


class ReplyLog(Protocol):
    """The events of one reply: words, then one end. Append-only; a reader's cursor is how many words it has read."""

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
        """Add words and tell the listeners. After the end there are none to add."""
        ...

    def close(self, end: End) -> None:
        """Add the end, once, and tell the listeners."""
        ...

    def read(self, after: int, limit: int) -> tuple[Sequence[str], End | None]:
        """Up to `limit` words after the first `after`, and the end if it follows directly."""
        ...

    def listen(self, tell: Listener) -> None:
        """Call `tell`, which must not raise, whenever something is added."""
        ...

    def unlisten(self, tell: Listener) -> None:
        """Undo `listen`."""
        ...


class SharedLogs(Protocol):
    """Where instances share the events of running replies. Best effort: the store has the truth, a bit later.

    If it holds resources, it is also an async context manager, as a bot.
    """

    keeps_words: bool
    """Whether the words of a dead instance's replies may be here."""
    on_cancel: Callable[[Iterable[str]], None]
    """To be set: called with the ids of replies, of any instance, that others were asked to cancel."""

    def share(self, reply_id: str, log: ReplyLog) -> None:
        """Let other instances read the log of a reply that is generated here, until its end."""
        ...

    def follow(self, reply_id: str, log: ReplyLog) -> None:
        """Add to `log` what it lacks of a reply that is generated elsewhere, as it comes, until its end."""
        ...

    def unfollow(self, reply_id: str) -> None:
        """Undo `follow`."""
        ...

    def ask_to_cancel(self, reply_id: str) -> None:
        """Tell the instance that generates the reply, which the store tells as well."""
        ...

    async def fence(self, reply_id: str, /) -> list[str]:
        """Let nobody add words to a dead instance's reply any more. Returns those that it had shared, or none."""
        ...

    def end_interrupted(self, reply_id: str, words: int) -> None:
        """Add the end to a dead instance's reply, which has so many words."""
        ...


class Saver(Protocol):
    """Where a reply is saved while it is generated."""

    def save(self, record: ReplyRecord) -> "asyncio.Future[None]":
        """A future that completes when the record's state, as of the call or later, is durable.

        Also fails with `ReplyElsewhere` if another instance answered first, and with `ConversationNotFound` if the
        conversation was deleted before the message was stored.
        """
        ...


class Store(Saver, Protocol):
    """Conversations that outlive the process. All methods raise `StorageUnavailable` if the database fails."""

    async def check(self) -> None:
        """Return if the database answers, and would take a write."""
        ...

    async def place(self, where: Where, limit: int, characters: int) -> Place:
        """Where the next turn of a principal's conversation goes, with the latest messages before it within the bounds.

        Behind the last message of the chosen branch, unless `where` says otherwise. Raises `ConversationNotFound`;
        `ReplyNotFound` if there is no such reply to be beside; `ReplyElsewhere` if the one to be retried has been
        replaced; and `ConversationBusy` if a reply is running, on any branch and any instance.
        """
        ...

    async def reply(self, reply_id: str, principal: Principal) -> tuple[str, StoredMessage] | None:
        """A principal's reply and its conversation's id."""
        ...

    async def running(self, principal: Principal, conversation_id: str | None = None) -> Sequence[str]:
        """A principal's replies that any instance generates: all of them, or those in one conversation."""
        ...

    async def request_cancellation(self, reply_id: str, principal: Principal) -> None:
        """Ask the instance that generates a principal's running reply to cancel it."""
        ...

    async def note_readers(self, reply_ids: Sequence[str]) -> None:
        """Tell the instances that generate these replies that they are read here."""
        ...

    async def is_left_to(self, heir: str, reply_id: str) -> bool:
        """Whether a dead instance's reply runs on as this one's."""
        ...

    async def end_interrupted(self, reply_id: str, words: list[str]) -> None:
        """End a dead instance's reply as interrupted, with these words if it has fewer."""
        ...

    async def reply_for(self, key: str) -> KeyedReply | None:
        """The reply for an idempotency key."""
        ...

    async def named(self, reply_id: str, principal: Principal) -> NamedReply | None:
        """A principal's reply."""
        ...

    async def only_for(self, beginning: str) -> NamedReply | None:
        """The reply for the only idempotency key that begins so; `None` if there is none, or more than one."""
        ...

    async def conversations(
        self, principal: Principal, limit: int, cursor: ListPosition | None, words: str | None = None
    ) -> Page[StoredConversation, ListPosition]:
        """A page of a principal's conversations, the most recently updated first.

        With `words`, of those in whose title and messages, of all branches, each of the words begins a word, and with
        excerpts of the messages.
        """
        ...

    async def messages(
        self, conversation_id: str, principal: Principal | None, page: MessagesPage
    ) -> tuple[StoredConversation, Page[StoredMessage, int]]:
        """A principal's conversation (any principal's for `None`), and a page of its messages.

        Raises `ConversationNotFound`, and `ReplyNotFound` if the reply that names the branch is not there.
        """
        ...

    async def everything(
        self, conversation_id: str, principal: Principal | None, limit: int, cursor: int
    ) -> tuple[StoredConversation, Page[ExportedMessage, int]]:
        """As `messages`, from the position `cursor` on, of all branches. Raises `ConversationNotFound`."""
        ...

    async def give_feedback(self, reply_id: str, principal: Principal, feedback: Feedback | None, now_ms: int) -> None:
        """Store feedback on a principal's reply, or withdraw it for `None`. Raises `ReplyNotFound`."""
        ...

    async def update(
        self,
        conversation_id: str,
        principal: Principal,
        *,
        title: str | None = None,
        instead_of: str | None = None,
        branch: str | None = None,
    ) -> StoredConversation:
        """Rename a principal's conversation, and choose its branch that has the reply `branch`.

        With `instead_of`, it is renamed only if that is its title.
        Raises `ConversationNotFound`, and `ReplyNotFound` if that reply is not there.
        """
        ...

    async def delete_some(self, principal: Principal) -> tuple[Sequence[str], list[str]]:
        """Delete some of a principal's conversations, if there are any.

        Returns their ids, and those of replies as `delete` does.
        """
        ...

    async def delete(self, conversation_id: str, principal: Principal) -> list[str]:
        """Delete a principal's conversation with all its messages.

        Returns the ids of the replies that other instances may be generating in it, which are asked to cancel them.
        Raises `ConversationNotFound`.
        """
        ...
