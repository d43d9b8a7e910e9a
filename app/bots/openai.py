"""Any engine with OpenAI's Chat Completions API: vLLM, SGLang, Ollama, llama.cpp, TGI, a hosted API."""

import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from app.bots.asking import Asking, Turn
from app.bots.body import Body, Patience
from app.bots.call import Call
from app.bots.chunks import Completion
from app.bots.completions import CompletionReader
from app.bots.dialects import Meaning
from app.bots.engine import EngineClient
from app.bots.line import Line
from app.bots.request import Engine
from app.bots.trouble import Trouble
from app.bots.waiting import Waiting
from app.chat.errors import BotBusy, BotMisconfigured, BotSaidNothing, MessageRefused
from app.chat.history import alternating
from app.chat.model import Conversation, Finish, Usage
from app.chat.watching import UNMEASURED, UNTRACED, Measures, UpstreamCall, UpstreamObserver

_USAGE_PATIENCE = Patience(2)
"""After the finish reason only the usage may follow, which is not worth a longer wait."""

_END_PATIENCE = Patience(0.02)
_LEAST_WAITING = 64
_PUT_ANOTHER_WAY = frozenset(Meaning) - {Meaning.RATE, Meaning.BUSY}
"""Errors worth an adapted request even though the response has started: the engine says why it cannot go on."""

_logger = logging.getLogger(__name__)


class OpenAI:
    """A bot. An async context manager that owns the HTTP client."""

    counts_tokens = True

    def __init__(self, engine: Engine, measures: Measures = UNMEASURED, observer: UpstreamObserver = UNTRACED) -> None:
        """Does not connect yet."""
        self._observer = observer
        self._url = URL(engine.base_url)
        self._engine = engine
        self._measures = measures
        self._client = EngineClient(engine)
        self._asking = Asking(engine, self._client)
        self._line = Line(engine.connections, max(engine.connections, _LEAST_WAITING), engine.queue_seconds)
        self._first = Patience(engine.first_token_seconds, "CHAT_OPENAI_FIRST_TOKEN_SECONDS")
        self._between = Patience(engine.between_bytes_seconds, "CHAT_OPENAI_BETWEEN_BYTES_SECONDS")

    async def __aenter__(self) -> Self:
        """Open the client."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client and its connections."""
        await self._client.__aexit__(kind, error, trace)

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """See `app.chat.ports.Bot`. A delta is all the text from one read of the network.

        An empty delta is a sign of life: from the engine, or from this adapter, which has its own limit for each wait.
        """
        turn = Turn(self._engine.asked(conversation), alternating(conversation.messages))
        place = _Place(self._line)
        said = Completion()
        try:
            while True:
                with Call(self._told(), self._measures, self._observer) as call:
                    work = self._answer(turn, place, call)
                    async with Waiting(work, self._engine.look_seconds, aiohttp.ClientResponse.close) as answer:
                        while not await answer.is_over():
                            yield ""
                        response = answer.result()
                    reader = CompletionReader()
                    said = reader.completion
                    counted: Usage | None = None
                    try:
                        with self._client.body(response) as body:
                            while (text := await self._read(body, reader)) is not None:
                                call.note(text)
                                yield text
                                if said.usage is not counted and said.usage is not None:
                                    counted = said.usage
                                    yield counted
                                if reader.failure is not None:
                                    raise reader.failure
                            if not body.is_over:
                                # Read the end of the body, so that the connection can be reused.
                                with suppress(Trouble):
                                    await body.read(_END_PATIENCE)
                        if said.usage:
                            self._asking.learn(turn, said.usage)
                        finish = _finish(said, turn)
                        call.complete(said)
                        yield finish
                        return  # noqa: TRY300 - the end of the loop
                    except Trouble as trouble:
                        call.fail(trouble)
                        await self._put_another_way(turn, said, trouble)
        except Trouble as trouble:
            _tell(trouble, said)
            raise trouble.error from None
        finally:
            place.leave()

    def _told(self) -> UpstreamCall:
        engine = self._engine
        return UpstreamCall(self._url.host or "", self._url.port, engine.model, engine.max_tokens, engine.temperature)

    async def _answer(self, turn: Turn, place: "_Place", call: Call) -> aiohttp.ClientResponse:
        await place.enter()
        turn.headers = call.begin()
        return await self._asking.answer(turn)

    async def _read(self, body: Body, reader: CompletionReader) -> str | None:
        """The text from the next read of the network, which may be empty; `None` after the end."""
        if reader.is_over:
            return None
        said = reader.completion
        patience = _USAGE_PATIENCE if said.awaits_usage else self._between if said.has_begun else self._first
        try:
            piece = await body.read(patience)
        except Trouble:
            if said.is_whole:
                return None  # only the usage can be missing
            raise
        if piece is None:
            return ""
        return reader.feed(piece) if piece else reader.close()

    async def _put_another_way(self, turn: Turn, said: Completion, trouble: Trouble) -> None:
        """Adapt the request after a response without text. Raises `trouble` if that cannot help."""
        if said.has_spoken:
            raise trouble
        if trouble.meaning in _PUT_ANOTHER_WAY:
            await self._asking.adapt(turn, trouble)
        elif not (trouble.is_empty and self._asking.shorten(turn)):
            raise trouble


class _Place:
    """At most one place in the queue, for one reply."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._is_held = False

    async def enter(self) -> None:
        if self._is_held:
            return
        try:
            await self._line.enter()
        except BotBusy as busy:
            hint = "raise CHAT_OPENAI_MAX_CONNECTIONS or CHAT_OPENAI_QUEUE_SECONDS"
            raise Trouble(busy, "too many replies are waiting for it, or for too long", hint) from None
        self._is_held = True

    def leave(self) -> None:
        if self._is_held:
            self._is_held = False
            self._line.leave()


def _finish(said: Completion, turn: Turn) -> Finish:
    """How the reply ended. Raises `Trouble` if it was cut off, or completed without a word."""
    finish = said.finish()
    if not said.has_spoken and finish.reason == "stop":
        hint = "check the model's template" if not said.has_thought else "limit the model's reasoning"
        raise Trouble(BotSaidNothing(), "it ended its reply without a word", hint)
    if not said.has_spoken and finish.reason == "length":
        _logger.warning("the reply had no room for a word. Next: raise CHAT_MAX_TOKENS, or use a larger context")
    return Finish(finish.reason, finish.usage, turn.omitted)


def _tell(trouble: Trouble, said: Completion) -> None:
    """Log one line for the operator, without any text of the user, the model or the engine."""
    match trouble.error:
        case MessageRefused():
            level = logging.INFO  # the user can do something about it
        case BotMisconfigured():
            level = logging.ERROR
        case _:
            level = logging.WARNING
    hint = trouble.next and f". Next: {trouble.next}"
    if said.has_spoken:
        _logger.log(level, "a reply broke off after about %d words; the engine: %s%s", said.words, trouble.what, hint)
    else:
        _logger.log(level, "a reply failed; the engine: %s%s", trouble.what, hint)
