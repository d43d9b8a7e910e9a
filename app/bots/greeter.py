"""The default bot: needs no key, no network and no weights, and tells a newcomer how to connect a real model."""

import asyncio
import re
from collections.abc import AsyncGenerator

from app.bots.pacing import Pauses
from app.chat.model import Conversation, Finish

SUGGESTIONS = ("hello", "Who are you?", "How do I connect a model?")
"""What to say to it first."""

_GREETING = "Hi there! How can I help you today?"
_INTRODUCTION = (
    "I am the greeter, a small bot that ships with this chat backend so that it answers from the first minute. "
    "I understand a hello, and not much more. Your message arrived safely, though, and this reply is streamed to you "
    "word by word, just as a model's would be.\n\n"
    "To connect a model, or to run a small one on this machine, set CHAT_BOT: see docs/bots.md, the section "
    '"Connect a model". To test a client, start the service with CHAT_BOT=simulator: that bot echoes whatever you say, '
    "at any pace, and fails on demand."
)
_HELLO = re.compile(
    r"\W*(hello|hi|hey|hallo|hola|bonjour|ciao|good (morning|afternoon|evening))( there)?\W*", re.IGNORECASE
)
_WORD = re.compile(r"\S+\s*")


class Greeter:
    """Answers a greeting, and introduces itself otherwise."""

    def __init__(self, pace_ms: float) -> None:
        """`pace_ms`: the pause between words, so that people see them arrive."""
        self._pace_seconds = pace_ms / 1000
        self._pauses = Pauses()

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Finish, None]:
        """Answer a greeting with one, and anything else with an introduction."""
        text = _GREETING if _HELLO.fullmatch(conversation.user_message) else _INTRODUCTION
        if not self._pace_seconds:
            yield text
            return
        loop = asyncio.get_running_loop()
        for word in _WORD.findall(text):
            yield word
            await self._pauses.begin(loop, self._pace_seconds)
