"""Adapts and retries a request until the engine accepts it: shorter, with other fields, for another model, or later.

Each change makes the request smaller or happens only once, so this terminates. What an engine has refused or reported
about itself is remembered for later replies.
"""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from app.bots.complaints import Said
from app.bots.dialects import Meaning
from app.bots.engine import EngineClient
from app.bots.models import Model
from app.bots.request import Engine, Manner, body
from app.bots.trouble import Trouble
from app.bots.window import Window, shorter, size
from app.chat.history import newest
from app.chat.model import Message, Usage

_LONGEST_WAIT_SECONDS = 1
"""A longer `Retry-After` is passed on: the client can wait instead."""

_WORTH_A_LOOK_BYTES = 1024
"""Every model accepts this much, so smaller conversations do not require knowing the model's context size."""

_LEAST_TOKENS = 256
"""A smaller reported context size is ignored as implausible."""

_LOOK_SECONDS = 2

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Turn:
    """The current state of one reply's request."""

    engine: Engine
    """With what this reply's request asks."""
    talk: Sequence[Message]
    """All messages that could be sent, with alternating roles."""
    messages: Sequence[Message] = ()
    """The messages that are sent."""
    manner: Manner = field(default_factory=Manner)
    model: str = ""
    has_waited: bool = False
    has_listed: bool = False
    sends_max_tokens: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the requests, in addition to those of the engine."""

    @property
    def omitted(self) -> int:
        """How many of the earliest messages are left out."""
        return len(self.talk) - len(self.messages)

    def keep(self, messages: Sequence[Message]) -> bool:
        """Send only these of the messages. Returns whether any is left out, so that another request is worth it."""
        is_fewer = len(messages) < len(self.messages)
        self.messages = messages
        return is_fewer

    @property
    def fixed_bytes(self) -> int:
        """What is sent with any messages."""
        return size(Message("user", self.engine.system_prompt)) if self.engine.system_prompt else 0


class Asking:
    """What is known about one engine, and how to adapt requests to it."""

    def __init__(self, engine: Engine, client: EngineClient) -> None:
        """Start with what the settings say."""
        self._engine = engine
        self._client = client
        self._model: str | None = engine.model
        self._manner = Manner()
        self._window = Window(engine.context_tokens, engine.max_tokens)
        self._has_looked = False

    async def answer(self, turn: Turn) -> aiohttp.ClientResponse:
        """The response to a turn's request, adapted as often as necessary. Raises `Trouble`."""
        while True:
            try:
                return await self._client.complete(await self._request(turn), turn.headers)
            except Trouble as trouble:
                if trouble.meaning is None and trouble.again_seconds is None:
                    raise
                await self.adapt(turn, trouble)

    def learn(self, turn: Turn, usage: Usage) -> None:
        """Calibrate the estimate of tokens with the engine's count of the prompt."""
        self._window.learn_count(usage.prompt_tokens, _sent_bytes(turn))

    async def adapt(self, turn: Turn, trouble: Trouble) -> None:
        """Change the request so that the engine may accept it, or wait briefly. Raises `trouble` if neither helps."""
        match trouble.meaning:
            case (Meaning.TOO_LONG | Meaning.TOO_MANY_TOKENS) as meaning if trouble.said:
                is_changed = self._make_room(turn, meaning, trouble.said)
            case Meaning.FILTERED if turn.messages:
                # An earlier message may have triggered the filter.
                is_changed = turn.keep(newest(turn.messages, 0, size))
            case Meaning.MODEL | Meaning.ADDRESS:
                is_changed = await self._list_again(turn)
            case Meaning.NO_SYSTEM_ROLE if not turn.engine.system_prompt:
                is_changed = False
            case Meaning.NO_STOP if not turn.engine.stop:
                is_changed = False
            case None | Meaning.RATE | Meaning.BUSY:
                is_changed = await self._wait(turn, trouble)
            case meaning:
                is_changed = self._ask_otherwise(turn, meaning)
        if not is_changed:
            raise trouble

    def shorten(self, turn: Turn) -> bool:
        """Drop the older half of the messages. Returns whether there was anything to drop."""
        return turn.keep(shorter(turn.messages, math.inf))

    async def _request(self, turn: Turn) -> dict[str, Any]:
        if self._model is None:
            self._know(await self._client.model(None))
        turn.model = self._model or ""
        turn.manner = self._manner
        if not turn.messages:
            await self._look(turn)
            turn.messages = self._window.fitting(turn.talk, turn.fixed_bytes)
        manner = turn.manner if turn.sends_max_tokens else replace(turn.manner, tokens_field=None)
        return body(turn.engine, manner, turn.model, turn.messages)

    async def _look(self, turn: Turn) -> None:
        """Ask for the model's context size, once, and only for a conversation that may be too long."""
        if self._window.tokens is None and not self._has_looked and len(turn.talk) > 1:
            if sum(map(size, turn.talk)) < _WORTH_A_LOOK_BYTES:
                return
            self._has_looked = True
            with suppress(Trouble, TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    model = await self._client.model(turn.model)
                self._window.learn_size(model.context_tokens or 0)

    def _know(self, model: Model) -> None:
        self._model = model.name
        self._manner = Manner()
        self._window = Window(self._engine.context_tokens or model.context_tokens, self._engine.max_tokens)
        self._has_looked = True

    def _make_room(self, turn: Turn, meaning: Meaning, said: Said) -> bool:
        limit, given = said.context_tokens, said.prompt_tokens
        most = turn.engine.max_tokens if turn.manner.tokens_field and turn.sends_max_tokens else None
        if most is not None and (meaning is Meaning.TOO_MANY_TOKENS if limit is None else most >= limit):
            if most != self._engine.max_tokens:
                turn.sends_max_tokens = False  # only this request asks for so many
                return True
            self._manner = turn.manner.without(Meaning.TOO_MANY_TOKENS)
            _logger.warning(
                "the model cannot generate CHAT_MAX_TOKENS tokens; no limit is sent. Next: lower CHAT_MAX_TOKENS"
            )
            return True
        is_told = limit is not None and given is not None and given > limit >= _LEAST_TOKENS
        if is_told and meaning is Meaning.TOO_LONG:
            self._window.learn_size(limit or 0)
        if len(turn.messages) > 1:
            room = math.inf
            if is_told and limit and given:
                room = _sent_bytes(turn) * max(limit - (most or 0), 0) / given - turn.fixed_bytes
            elif self._window.room is not None:
                room = self._window.room - turn.fixed_bytes
            if turn.keep(shorter(turn.messages, room)):
                return True
        if most is not None:
            turn.sends_max_tokens = False  # leave all the room to the message
            return True
        return False

    async def _list_again(self, turn: Turn) -> bool:
        """List the models again: the engine may have loaded another one."""
        if self._engine.model is not None or turn.has_listed or not turn.model:
            return False
        turn.has_listed = True
        if self._model == turn.model:
            with suppress(Trouble):
                self._know(await self._client.model(None))
        return self._model != turn.model

    async def _wait(self, turn: Turn, trouble: Trouble) -> bool:
        seconds = trouble.again_seconds
        if seconds is None or seconds > _LONGEST_WAIT_SECONDS or turn.has_waited:
            return False
        turn.has_waited = True
        await asyncio.sleep(seconds)
        return True

    def _ask_otherwise(self, turn: Turn, refused: Meaning) -> bool:
        manner = turn.manner.without(refused)
        if manner == turn.manner:
            return False
        self._manner = manner
        _logger.info("the model refused a field, which is no longer sent: %s", refused.name.lower())
        return True


def _sent_bytes(turn: Turn) -> int:
    return sum(map(size, turn.messages)) + turn.fixed_bytes
