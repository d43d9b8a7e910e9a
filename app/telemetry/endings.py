"""The line in the log that each reply ends with: `app.chat.watching.ReplyObserver`."""

from typing import Any

import structlog

from app.chat.stored import ReplyRecord
from app.chat.watching import Ending

_Log = structlog.typing.FilteringBoundLogger


class EndingsLog:
    """Says what ended, how, and how long it took; nothing of what was said in it."""

    def __init__(self, bot: str) -> None:
        """`bot` is the name of the one that replies."""
        self._bot = bot
        self._bound_log: _Log | None = None

    def began(self, record: ReplyRecord) -> None:
        """Not worth a line: the request has one."""

    def first_word(self, record: ReplyRecord, seconds: float) -> None:
        """Not worth a line: the one of the end says when it was."""

    def ended(self, record: ReplyRecord, ending: Ending) -> None:
        """See `ReplyObserver`."""
        more: dict[str, Any] = {}
        if ending.error is not None:
            more["problem"] = ending.error.code
        if (origin := record.origin) is not None:
            more["request_id"] = origin.request_id
        if (trace_id := record.trace_id or (origin and origin.trace_id)) is not None:
            more["trace_id"] = trace_id
        self._log().info(
            "reply",
            reply_id=record.reply_id,
            conversation_id=record.conversation_id,
            bot=self._bot,
            outcome=ending.outcome,
            words=ending.words,
            first_word_ms=None if ending.first_word_seconds is None else round(ending.first_word_seconds * 1000, 1),
            duration_ms=round(ending.seconds * 1000, 1),
            **more,
        )

    def _log(self) -> _Log:
        """Bound once, when logging has been set up: a logger of structlog's is made anew for each line otherwise."""
        if self._bound_log is None:
            self._bound_log = structlog.get_logger().bind()
        return self._bound_log
