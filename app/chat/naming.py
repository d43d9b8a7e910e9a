"""Lets the bot name new conversations: it is asked for a title when the first reply is complete.

The title is an extra. Nobody waits for it, a conversation that somebody has renamed meanwhile keeps its name, and one
without a title from the bot keeps the beginning of its message.
"""

import asyncio
import logging
import re
from contextlib import aclosing
from types import TracebackType
from typing import Self

from app.chat.errors import ConversationNotFound
from app.chat.model import Conversation, Message
from app.chat.ports import Bot, Store
from app.chat.stored import ReplyRecord
from app.chat.text import Normaliser
from app.chat.titles import title_of
from app.chat.watching import Ending

_REQUEST = (
    "Write a title for the conversation so far: at most six words, in its language, without quotation marks. "
    "Answer with the title and nothing else."
)
_SEEN = 2_000
"""So many characters of the message and of the reply are enough for a title."""
_READ = 4_000
"""A bot that says more than this, its thoughts included, has no title."""
_SECONDS = 60.0
_AT_ONCE, _WAITING = 2, 100
_THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
"""Some engines leave them in the text."""
_LABEL = re.compile(r"title\s*:", re.IGNORECASE)
_AROUND = " \t\"'`“”„‘’«»「」*_#."  # noqa: RUF001 - typographic quotation marks

_logger = logging.getLogger(__name__)


class Naming:
    """A `ReplyObserver`, and an async context manager that owns the tasks which ask the bot."""

    def __init__(self, bot: Bot, store: Store) -> None:
        """Ask the bot, and rename in the store."""
        self._bot = bot
        self._store = store
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False

    async def __aenter__(self) -> Self:
        """Take replies from now on."""
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up what has not been named yet."""
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def began(self, record: ReplyRecord) -> None:
        """See `ReplyObserver`."""

    def first_word(self, record: ReplyRecord, seconds: float) -> None:
        """See `ReplyObserver`."""

    def ended(self, record: ReplyRecord, ending: Ending) -> None:
        """If it was the first reply of a stored conversation, and there is one, ask for a title."""
        is_first = record.position == 0 and record.stored and record.text
        if not (self._is_open and is_first and ending.outcome == "completed") or len(self._tasks) >= _WAITING:
            return
        task = asyncio.get_running_loop().create_task(self._name(record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _name(self, record: ReplyRecord) -> None:
        given = title_of(record.user_message)
        try:
            async with self._turn, asyncio.timeout(_SECONDS):
                title = await self._asked(record)
                if title:
                    await self._store.update(record.conversation_id, record.principal, title=title, instead_of=given)
        except ConversationNotFound:
            pass  # deleted meanwhile
        except Exception as error:  # noqa: BLE001 - a bot is third-party code; the error's text may be the user's
            _logger.warning("the bot has not named a conversation: %s", type(error).__qualname__)

    async def _asked(self, record: ReplyRecord) -> str:
        messages = (
            Message("user", record.user_message[:_SEEN]),
            Message("assistant", record.text[:_SEEN]),
            Message("user", _REQUEST),
        )
        normaliser = Normaliser()
        said = ""
        async with aclosing(self._bot.reply(Conversation(messages))) as deltas:
            async for delta in deltas:
                if isinstance(delta, str):
                    said += normaliser.feed(delta)
                if len(said) > _READ:
                    return ""
        return _title_in(said + normaliser.flush())


def _title_in(said: str) -> str:
    """The title in what the bot said; empty if there is none."""
    lines = (line.strip(_AROUND) for line in _THOUGHTS.sub("", said).splitlines())
    line = next((line for line in lines if line), "")
    return title_of(_LABEL.sub("", line, count=1).strip(_AROUND)) if line else ""
