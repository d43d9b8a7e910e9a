"""What can go wrong in a chat. Each error has a code; the contract defines the problem that clients get for it."""

from collections.abc import Iterator
from typing import ClassVar


class CannotStart(Exception):
    """What keeps the service, or an operator's command, from starting.

    Its text is one line for the operator: which setting it is about, what is wrong, and what to do next.
    """

    exit_status: ClassVar[int] = 3
    """Something outside is not ready; the same command may work later."""


class Misconfigured(CannotStart):
    """The settings must be changed first."""

    exit_status = 2


class BotNotConfigured(Misconfigured):
    """The bot cannot be created from its settings."""


class ChatError(Exception):
    """An error that is reported to the client.

    Its text never leaves the process: clients get the problem that `app.http.problems` has for `code`.
    """

    code: ClassVar[str]
    retry_after_seconds: int | None = None
    """When to retry, for temporary errors."""

    def __init__(self, *, retry_after_seconds: int | None = None) -> None:
        """`retry_after_seconds` overrides the default of the class."""
        super().__init__(self.code)
        if retry_after_seconds is not None:
            self.retry_after_seconds = retry_after_seconds


class TooManyStreams(ChatError):
    """The service has reached its maximum number of open replies."""

    code = "too-many-streams"
    retry_after_seconds: int | None = 1


class Draining(ChatError):
    """The service is stopping."""

    code = "draining"
    retry_after_seconds: int | None = 1


class AccessEnded(ChatError):
    """The key was revoked, or the token expired, while its stream was open."""

    code = "access-ended"


class AccessUnavailable(ChatError):
    """Tokens cannot be verified at the moment."""

    code = "access-unavailable"
    retry_after_seconds: int | None = 5


class RateLimited(ChatError):
    """The client has used up its request rate limit."""

    code = "rate-limited"
    retry_after_seconds: int | None = 60


class StreamLimitReached(ChatError):
    """The client has reached its maximum number of open streams."""

    code = "stream-limit-reached"
    retry_after_seconds: int | None = 1


class WordLimitReached(ChatError):
    """The client has used up its words for today."""

    code = "word-limit-reached"
    retry_after_seconds: int | None = 86_400


class BotBroken(ChatError):
    """The bot raised an exception that it must not raise: a defect."""

    code = "internal"


class BotFailed(ChatError):
    """The bot or its backend broke off or sent an invalid response."""

    code = "bot-failed"


class BotUnavailable(ChatError):
    """The bot cannot answer at the moment."""

    code = "bot-unavailable"
    retry_after_seconds: int | None = 1


class BotRateLimited(ChatError):
    """The bot's backend is rate-limiting."""

    code = "bot-rate-limited"
    retry_after_seconds: int | None = 1


class BotTimeout(ChatError):
    """The bot was silent for too long, or took too long in total."""

    code = "bot-timeout"


class BotBusy(ChatError):
    """The queue for the bot is full, or the request has waited in it for too long."""

    code = "bot-busy"
    retry_after_seconds: int | None = 1


class BotMisconfigured(ChatError):
    """The bot's backend rejects the key, the model or the address: only the operator can fix it."""

    code = "bot-misconfigured"


class BotSaidNothing(ChatError):
    """The bot completed its reply without a single word."""

    code = "bot-said-nothing"


class MessageRefused(ChatError):
    """The bot rejects this message; `reason` tells the user why without quoting any of it."""

    code = "message-refused"

    def __init__(self, reason: str) -> None:
        """`reason` is shown to the user verbatim."""
        super().__init__()
        self.reason = reason


class ReplyInterrupted(ChatError):
    """The process that generated the reply died. What it had saved is available."""

    code = "reply-interrupted"


class ReplyElsewhere(ChatError):
    """Another instance is generating the reply, and this one cannot see its words."""

    code = "reply-elsewhere"
    retry_after_seconds: int | None = 1


class ReplyNotFound(ChatError):
    """No such reply, or it belongs to another principal."""

    code = "reply-not-found"


class ConversationNotFound(ChatError):
    """No such conversation, or it belongs to another principal."""

    code = "conversation-not-found"


class ConversationBusy(ChatError):
    """A reply is running in the conversation; the next one can start when it has ended."""

    code = "conversation-busy"

    def __init__(self, reply_id: str) -> None:
        """`reply_id` is the running reply."""
        super().__init__()
        self.reply_id = reply_id


class CursorAhead(ChatError):
    """The cursor names a word that the reply does not have (yet)."""

    code = "cursor-ahead"


class CursorExpired(ChatError):
    """The cursor names a word that was lost with the process that generated it."""

    code = "cursor-expired"


class IdempotencyKeyReused(ChatError):
    """The key was already used for a different request."""

    code = "idempotency-key-reused"


class StorageUnavailable(ChatError):
    """The database does not answer, or rejects a write."""

    code = "storage-unavailable"
    retry_after_seconds: int | None = 2


def error_with_code(code: str) -> ChatError:
    """The error for a stored code; a code that no longer exists becomes `BotBroken`."""
    if code == MessageRefused.code:
        return MessageRefused("The bot gave its reason when the message was sent.")
    for kind in _kinds(ChatError):
        if kind.code == code and kind is not ConversationBusy:
            return kind()
    return BotBroken()


def _kinds(kind: type[ChatError]) -> Iterator[type[ChatError]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _kinds(sub)
