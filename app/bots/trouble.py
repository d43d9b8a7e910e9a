"""Why a reply failed or broke off: the error for the client, the text for the operator's log, and whether to retry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from app.bots.complaints import Said
from app.bots.dialects import Meaning
from app.chat.errors import (
    BotFailed,
    BotMisconfigured,
    BotRateLimited,
    BotTimeout,
    BotUnavailable,
    ChatError,
    MessageRefused,
)

_TOO_LONG = "This is longer than the model accepts. Send less, or start a new conversation."
_FILTERED = "The model's content filter rejected this. Rephrase it."


@dataclass(frozen=True, slots=True)
class _Case:
    error: Callable[[], ChatError]
    what: str
    next: str = ""


_FIELD = "check CHAT_OPENAI_EXTRA_BODY"
_CASES: Mapping[Meaning, _Case] = {
    Meaning.TOO_LONG: _Case(lambda: MessageRefused(_TOO_LONG), "the message is too long for the model"),
    Meaning.TOO_MANY_TOKENS: _Case(BotMisconfigured, "it cannot generate that many tokens", "lower CHAT_MAX_TOKENS"),
    Meaning.FILTERED: _Case(lambda: MessageRefused(_FILTERED), "its content filter rejected the message"),
    Meaning.NO_MAX_TOKENS: _Case(BotMisconfigured, "it refuses `max_tokens`", _FIELD),
    Meaning.NO_TEMPERATURE: _Case(BotMisconfigured, "it refuses `temperature`", _FIELD),
    Meaning.NO_STREAM_OPTIONS: _Case(BotMisconfigured, "it refuses `stream_options`", _FIELD),
    Meaning.NO_SYSTEM_ROLE: _Case(BotMisconfigured, "its template refuses these roles", "use another template"),
    Meaning.KEY: _Case(BotMisconfigured, "it refuses the key", "check CHAT_OPENAI_API_KEY and its permissions"),
    Meaning.MODEL: _Case(BotMisconfigured, "it does not have the model", "check CHAT_OPENAI_MODEL"),
    Meaning.QUOTA: _Case(BotMisconfigured, "the account has no credit", "check the account of CHAT_OPENAI_API_KEY"),
    Meaning.ADDRESS: _Case(
        BotMisconfigured,
        "there is nothing at this address",
        "check CHAT_OPENAI_BASE_URL, which ends in /v1 for most, and CHAT_OPENAI_MODEL",
    ),
    Meaning.RATE: _Case(BotRateLimited, "it accepts no more requests for now"),
    Meaning.BUSY: _Case(BotUnavailable, "it is busy, or not ready"),
    Meaning.SLOW: _Case(BotTimeout, "it, or what is behind it, took too long"),
    Meaning.REQUEST: _Case(
        BotFailed,
        "it refuses the request",
        "check CHAT_OPENAI_MODEL, CHAT_MAX_TOKENS and CHAT_OPENAI_EXTRA_BODY",
    ),
    Meaning.BROKEN: _Case(BotFailed, "it failed", "check the engine's log"),
}
_LONGEST_RETRY_AFTER_SECONDS = 86_400


class Trouble(Exception):
    """A reply failed or broke off. `what` and `next` are for the operator and never contain the engine's own text."""

    RETRY_SECONDS: ClassVar = 0.25

    def __init__(  # noqa: PLR0913 - each has another recipient
        self,
        error: ChatError,
        what: str,
        hint: str = "",
        *,
        said: Said | None = None,
        again_seconds: float | None = None,
        is_empty: bool = False,
    ) -> None:
        """`what` happened, and a `hint` at what to do.

        `again_seconds` is when to retry; `None` if a retry is pointless. `is_empty` means a response that ended without
        an error and without content.
        """
        super().__init__(what)
        self.error = error
        self.what = what
        self.next = hint
        self.is_empty = is_empty
        self.said = said
        self.again_seconds = again_seconds

    @property
    def meaning(self) -> Meaning | None:
        """What the engine's error is about, if there is one."""
        return self.said.meaning if self.said else None


def complained(said: Said, what: str, retry_seconds: float | None = None) -> Trouble:
    """The trouble for an error reported by the engine: `what` says how, `retry_seconds` comes from its headers."""
    case = _CASES[said.meaning]
    error = case.error()
    if not isinstance(error, BotRateLimited | BotUnavailable):
        return Trouble(error, f"{what}: {case.what}", case.next, said=said)
    seconds = said.retry_seconds if retry_seconds is None else retry_seconds
    if seconds is None:
        return Trouble(error, f"{what}: {case.what}", case.next, said=said, again_seconds=Trouble.RETRY_SECONDS)
    # The contract requires whole seconds, at least 1.
    error.retry_after_seconds = max(1, min(_ceiling(seconds), _LONGEST_RETRY_AFTER_SECONDS))
    return Trouble(error, f"{what}: {case.what}", case.next, said=said, again_seconds=max(0.0, seconds))


def _ceiling(seconds: float) -> int:
    return -int(-min(seconds, float(_LONGEST_RETRY_AFTER_SECONDS)) // 1)
