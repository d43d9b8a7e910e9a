"""Asks an engine that speaks OpenAI's Chat Completions: one HTTP client, its bounds, and what refusals mean.

Nothing that an engine says about an error is shown or logged: it may repeat what it was told, keys included.
"""

import asyncio
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
from pydantic_core import from_json
from yarl import URL

from app.bots.body import Body
from app.bots.completions import reported
from app.chat.errors import BotFailed, BotRateLimited, BotTimeout, BotUnavailable, ChatError, MessageRefused

_KEEP_SECONDS = 4.0
"""Most engines hang up on who has been idle for five seconds; a request that crosses that would have to be repeated."""

_RETRY_SECONDS = 0.25
_LONGEST_RETRY_SECONDS = 1
"""Who is told to come back later than this passes it on: the client can wait as well."""

_LONGEST_RETRY_AFTER_SECONDS = 86_400
_TOO_LONG = re.compile(r"context_length_exceeded|exceed_context_size|context (length|size|window)", re.IGNORECASE)
_HINTS = {
    400: "it does not take the request: check CHAT_OPENAI_MODEL, CHAT_MAX_TOKENS and CHAT_OPENAI_EXTRA_BODY",
    401: "check CHAT_OPENAI_API_KEY",
    403: "check CHAT_OPENAI_API_KEY, and what it may do",
    404: "check CHAT_OPENAI_BASE_URL, which ends in /v1 for most, and CHAT_OPENAI_MODEL",
}

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What there is to know of an engine, and how to ask it."""

    base_url: str
    """Without `/chat/completions`; ends in `/v1` for most engines."""
    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    """`None` takes the first one that the engine lists."""
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Goes into each request; `None` takes a field out of it."""
    history_bytes: int | None = None
    """So much of the history is sent at most, the newest."""
    connect_seconds: float = 5
    first_byte_seconds: float = 60
    between_bytes_seconds: float = 60
    connections: int = 1_000


class Refusal(Exception):
    """There is no answer."""

    def __init__(self, error: ChatError, retry_seconds: float | None = None) -> None:
        """`error` is why; after `retry_seconds` it is worth another try, unless they are `None`."""
        super().__init__()
        self.error = error
        self.retry_seconds = retry_seconds


class EngineClient:
    """Sends requests. An async context manager: the connections live inside it."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is asked of the engine yet."""
        self._engine = engine
        self._model = engine.model
        base = URL(engine.base_url.rstrip("/"))
        self._completions = (base / "chat" / "completions").with_query(base.query)
        self._models = (base / "models").with_query(base.query)
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Make the pool of connections."""
        engine = self._engine
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Content-Type": "application/json"}
        if engine.api_key is not None:
            headers["Authorization"] = f"Bearer {engine.api_key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=engine.connections, keepalive_timeout=_KEEP_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers | dict(engine.headers),
            timeout=aiohttp.ClientTimeout(total=None, connect=engine.connect_seconds),
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._session.close()

    async def complete(self, messages: Sequence[Mapping[str, str]]) -> aiohttp.ClientResponse:
        """Ask for a completion, as a stream. Who gets the response reads it with `body`. Raises `Refusal`."""
        engine = self._engine
        body: dict[str, Any] = {
            "model": self._model or await self._first_model(),
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": engine.temperature,
            "max_tokens": engine.max_tokens,
            **engine.extra_body,
        }
        data = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
        return await self._request("POST", self._completions, data)

    def body(self, response: aiohttp.ClientResponse) -> Body:
        """What reads a response."""
        return Body(response, self._engine.between_bytes_seconds)

    async def _request(self, method: str, url: URL, data: bytes | None = None) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout(self._engine.first_byte_seconds):
                response = await self._session.request(method, url, data=data, allow_redirects=False)
        except aiohttp.ClientConnectionError as error:  # also if connecting takes too long
            _logger.warning("the engine cannot be reached: %s", type(error).__name__)
            raise Refusal(BotUnavailable(), _RETRY_SECONDS) from None
        except TimeoutError:
            _logger.warning("the engine did not begin to answer within %g s", self._engine.first_byte_seconds)
            raise Refusal(BotTimeout()) from None
        except (aiohttp.ClientError, ValueError) as error:
            _logger.warning("the engine's answer is no HTTP: %s", type(error).__name__)
            raise Refusal(BotFailed()) from None
        if response.status == _OK:
            return response
        with self.body(response) as body:
            raise await self._refusal(response, body)

    async def _first_model(self) -> str:
        with self.body(await self._request("GET", self._models)) as body:
            try:
                model = from_json(await body.read_all())["data"][0]["id"]
            except ChatError as error:
                raise Refusal(error) from None
            except (ValueError, LookupError, TypeError):
                model = None
        if not isinstance(model, str):
            _logger.warning("the engine does not list its models: set CHAT_OPENAI_MODEL")
            raise Refusal(BotFailed())
        self._model = model
        return model

    async def _refusal(self, response: aiohttp.ClientResponse, body: Body) -> Refusal:
        """What a status that is no success stands for."""
        hint = _HINTS.get(response.status, "")
        _logger.warning("the engine answered %d%s", response.status, hint and f"; {hint}")
        if response.status in _ABOUT_THE_REQUEST and await _is_too_long(body):
            return Refusal(
                MessageRefused("This is longer than the model can take. Send less, or begin a new conversation.")
            )
        error = reported(response.status)
        if not isinstance(error, BotRateLimited | BotUnavailable):
            return Refusal(error)
        seconds = _retry_after(response.headers.get("Retry-After", "").strip())
        if seconds is None:
            return Refusal(error, _RETRY_SECONDS)
        error = type(error)(retry_after_seconds=max(seconds, 1))  # as the contract has it
        return Refusal(error, seconds if seconds <= _LONGEST_RETRY_SECONDS else None)


_OK = 200
_ABOUT_THE_REQUEST = {400, 413, 422}


async def _is_too_long(body: Body) -> bool:
    try:
        said = await body.read_all()
    except ChatError:
        return False
    return _TOO_LONG.search(said.decode("utf-8", "replace")) is not None


def _retry_after(value: str) -> int | None:
    """Whole seconds, whether the engine says seconds or a date; `None` if it says neither."""
    if value.isascii() and value.isdigit():
        seconds = int(value[:9])
    else:
        try:
            date = parsedate_to_datetime(value)
        except (OverflowError, ValueError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = round((date - datetime.now(UTC)).total_seconds())
    return max(0, min(seconds, _LONGEST_RETRY_AFTER_SECONDS))
