"""Any engine that speaks OpenAI's Chat Completions: vLLM, SGLang, Ollama, llama.cpp, TGI, a hosted API."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Self

import aiohttp

from app.bots.body import Body
from app.bots.completions import CompletionReader
from app.bots.engine import Engine, EngineClient, Refusal
from app.chat.errors import BotFailed, ChatError, MessageRefused
from app.chat.model import Conversation, Finish, Message

_USAGE_SECONDS = 2.0
"""After the finish reason nothing but the usage may come. It is not worth a longer wait."""

_END_SECONDS = 0.02


class OpenAI:
    """A bot. An async context manager: the HTTP client lives inside it."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is asked of the engine yet."""
        self._engine = engine
        self._client = EngineClient(engine)

    async def __aenter__(self) -> Self:
        """Make the client."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client, and every connection."""
        await self._client.__aexit__(kind, error, trace)

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Finish, None]:
        """See `app.chat.model.Bot`. A piece of text is all that one read from the network gave.

        An empty one is a sign of life, such as that of a model that reasons.
        """
        response = await self._ask(conversation)
        reader = CompletionReader()
        with self._client.body(response) as body:
            if response.content_type == "application/json":
                yield reader.whole(await body.read_all()) or ""
            elif response.content_type == "text/html":
                raise BotFailed
            else:
                async with aclosing(_texts(body, reader)) as texts:
                    async for text in texts:
                        yield text
            yield reader.finish()

    async def _ask(self, conversation: Conversation) -> aiohttp.ClientResponse:
        """Ask, and if that may help, once more."""
        try:
            return await self._client.complete(self._messages(conversation.messages))
        except Refusal as refusal:
            if isinstance(refusal.error, MessageRefused) and len(conversation.messages) > 1:
                conversation = Conversation(conversation.messages[-1:])
            elif refusal.retry_seconds is not None:
                await asyncio.sleep(refusal.retry_seconds)
            else:
                raise refusal.error from None
        try:
            return await self._client.complete(self._messages(conversation.messages))
        except Refusal as refusal:
            raise refusal.error from None

    def _messages(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        prompt = self._engine.system_prompt
        system = [{"role": "system", "content": prompt}] if prompt else []
        kept = _newest(messages, self._engine.history_bytes)
        return system + [{"role": message.role, "content": message.text} for message in kept]


async def _texts(body: Body, reader: CompletionReader) -> AsyncGenerator[str, None]:
    while not reader.is_over:
        try:
            piece = await body.read(_USAGE_SECONDS if reader.reason else None)
        except ChatError:
            if reader.reason is None:
                raise
            return  # the text is whole; nothing but the usage may be missing
        text = reader.feed(piece) if piece else reader.close()
        if text is not None:
            yield text
        if reader.failure is not None:
            raise reader.failure
        if not piece:
            return
    if not body.is_over:
        # The body's end is on its way. With it, the connection can be used again.
        with suppress(ChatError):
            await body.read(_END_SECONDS)


def _newest(messages: Sequence[Message], most_bytes: int | None) -> Sequence[Message]:
    """The last message, and as many before it as fit, beginning with a user's."""
    if most_bytes is None:
        return messages
    start = len(messages) - 1
    for index in range(len(messages) - 2, -1, -1):
        most_bytes -= len(messages[index].text.encode())
        if most_bytes < 0:
            break
        if messages[index].role == "user":
            start = index
    return messages[start:]
