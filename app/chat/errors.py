"""What can go wrong in a chat. An error names a situation by a code; the contract says what clients are told of it."""

from collections.abc import Iterator
from typing import ClassVar


class CannotStart(Exception):
    """What keeps the service, or an operator's command, from starting.

    Its text is one line for the operator: which setting it is about, what is wrong, and what to do next.
    """

    exit_status: ClassVar[int] = 3
    """Something outside is not ready; the same command may work later."""


class Misconfigured(CannotStart):
    """The settings have to be changed first."""

    exit_status = 2


class BotNotConfigured(Misconfigured):
    """The bot cannot be had as it is set up."""


class ChatError(Exception):
    """Something that the one who asked is told about.

    Its text never leaves the process: clients get what `app.http.problems` has under `code`.
    """

    code: ClassVar[str]
    retry_after_seconds: int | None = None
    """When it is worth trying again, for errors that pass."""

    def __init__(self, *, retry_after_seconds: int | None = None) -> None:
        """`retry_after_seconds`: where it is known better than the kind of error tells."""
        super().__init__(self.code)
        if retry_after_seconds is not None:
            self.retry_after_seconds = retry_after_seconds


class TooManyStreams(ChatError):
    """As many replies are open as the service takes."""

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
    """Whether a token is good cannot be known for now."""

    code = "access-unavailable"
    retry_after_seconds: int | None = 5


class RateLimited(ChatError):
    """The client has sent as many requests as it may for now."""

    code = "rate-limited"
    retry_after_seconds: int | None = 60


class StreamLimitReached(ChatError):
    """The client has as many streams open as it may."""

    code = "stream-limit-reached"
    retry_after_seconds: int | None = 1


class WordLimitReached(ChatError):
    """The client was told as many words as it may be, for today."""

    code = "word-limit-reached"
    retry_after_seconds: int | None = 86_400


class BotBroken(ChatError):
    """The bot raised what it must not raise: a defect."""

    code = "internal"


class BotFailed(ChatError):
    """The bot, or what it talks to, broke off or answered nonsense."""

    code = "bot-failed"


class BotUnavailable(ChatError):
    """The bot cannot answer for now."""

    code = "bot-unavailable"
    retry_after_seconds: int | None = 1


class BotRateLimited(ChatError):
    """What the bot talks to takes no more for now."""

    code = "bot-rate-limited"
    retry_after_seconds: int | None = 1


class BotTimeout(ChatError):
    """The bot was silent, or talked, for too long."""

    code = "bot-timeout"


class BotBusy(ChatError):
    """As many wait for the bot as may, or have waited as long as one may."""

    code = "bot-busy"
    retry_after_seconds: int | None = 1


class BotMisconfigured(ChatError):
    """What the bot talks to takes its key, its model or its address for wrong: only the operator can help."""

    code = "bot-misconfigured"


class BotSaidNothing(ChatError):
    """The bot ended its reply as if it were complete, and there is not a word in it."""

    code = "bot-said-nothing"


class MessageRefused(ChatError):
    """The bot does not take this message; `reason` tells the user why, in words that repeat nothing of it."""

    code = "message-refused"

    def __init__(self, reason: str) -> None:
        """`reason` is shown to the user as it is."""
        super().__init__()
        self.reason = reason


class ReplyInterrupted(ChatError):
    """The process that made the reply died. What it had saved is there."""

    code = "reply-interrupted"


class ReplyElsewhere(ChatError):
    """Another instance is making the reply, and this one cannot see its words."""

    code = "reply-elsewhere"
    retry_after_seconds: int | None = 1


class ReplyNotFound(ChatError):
    """No such reply, or none of yours."""

    code = "reply-not-found"


class ConversationNotFound(ChatError):
    """No such conversation, or none of yours."""

    code = "conversation-not-found"


class ConversationBusy(ChatError):
    """A reply is running in the conversation; a second one has to wait for its end."""

    code = "conversation-busy"

    def __init__(self, reply_id: str) -> None:
        """`reply_id` is the one that runs."""
        super().__init__()
        self.reply_id = reply_id


class CursorAhead(ChatError):
    """The cursor names a word that the reply does not have (yet)."""

    code = "cursor-ahead"


class CursorExpired(ChatError):
    """The cursor names a word that was lost with the process that had made it."""

    code = "cursor-expired"


class IdempotencyKeyReused(ChatError):
    """The key came before, with another request."""

    code = "idempotency-key-reused"


class StorageUnavailable(ChatError):
    """The database does not answer, or does not take what it is given."""

    code = "storage-unavailable"
    retry_after_seconds: int | None = 2


def error_with_code(code: str) -> ChatError:
    """The error that a stored code stands for; a code that is no longer known is a defect of the reply's bot."""
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
