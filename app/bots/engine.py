"""The client of an engine with OpenAI's Chat Completions API: connections, time limits and errors.

The text of an engine's error is never shown or logged: it may repeat what it was sent, including keys.
"""

import asyncio
import json
from collections.abc import Mapping
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import aiohttp
from pydantic_core import from_json
from yarl import URL

from app.bots.body import Body, Patience
from app.bots.complaints import understood
from app.bots.later import retry_seconds
from app.bots.models import Model, listed
from app.bots.request import Engine
from app.bots.trouble import Trouble, complained
from app.chat.errors import BotFailed, BotMisconfigured, BotTimeout, BotUnavailable

_KEEP_SECONDS = 4.0
"""Most engines close connections that are idle for five seconds; a request sent just then has to be repeated."""

_ERROR_PATIENCE = Patience(5)
_ERROR_SECONDS = 10
_OK = 200
_REDIRECTS = range(300, 400)
_PROXY_AUTHENTICATION = 407
_PROXY_REFUSALS = {403, 405, _PROXY_AUTHENTICATION}
_PROXY_HINT = "check HTTPS_PROXY or HTTP_PROXY and its password, or add the engine to NO_PROXY"


class EngineClient:
    """Sends requests. An async context manager that owns the connections."""

    def __init__(self, engine: Engine) -> None:
        """Does not connect yet."""
        self._engine = engine
        base = URL(engine.base_url.rstrip("/"))
        self._completions = (base / "chat" / "completions").with_query(base.query)
        self._models = (base / "models").with_query(base.query)
        self._session: aiohttp.ClientSession
        self._fresh: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Create the connection pool. It is unbounded: `app.bots.line` limits the requests."""
        self._session = self._new_session(aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_SECONDS))
        self._fresh = self._new_session(aiohttp.TCPConnector(limit=0, force_close=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._session.close()
        await self._fresh.close()

    async def complete(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Request a completion as a stream. The caller reads the response with `body`. Raises `Trouble`."""
        return await self._answered("POST", self._completions, json.dumps(body).encode(), headers)

    async def model(self, wanted: str | None) -> Model:
        """A model from the engine's list. Raises `Trouble`."""
        with self.body(await self._answered("GET", self._models)) as body:
            said = await body.read_all(_ERROR_PATIENCE)
        try:
            answer = from_json(said)
        except ValueError:
            answer = None
        return listed(answer, wanted)

    def body(self, response: aiohttp.ClientResponse) -> Body:
        """The reader for a response's body."""
        return Body(response, self._engine.look_seconds)

    async def _answered(
        self, method: str, url: URL, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> aiohttp.ClientResponse:
        response = await self._sent(method, url, data=data, headers=headers or {})
        if response.status == _OK:
            return response
        with self.body(response) as body:
            raise await self._refusal(response, body)

    async def _sent(self, method: str, url: URL, **content: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 - aiohttp's
        """Send a request; if a reused connection turns out to be closed, send it once more on a new one."""
        connection = SimpleNamespace(is_reused=False)
        try:
            return await self._request(self._session, method, url, connection, **content)
        except Trouble as trouble:
            if not (connection.is_reused and isinstance(trouble.error, BotUnavailable)):
                raise
        return await self._request(self._fresh, method, url, connection, **content)

    async def _request(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: URL,
        connection: SimpleNamespace,
        **content: Any,  # noqa: ANN401
    ) -> aiohttp.ClientResponse:
        seconds = self._engine.first_byte_seconds
        try:
            async with asyncio.timeout(seconds):
                return await session.request(
                    method,
                    url,
                    **content,
                    allow_redirects=False,
                    proxy=self._engine.proxy,
                    trace_request_ctx=connection,
                )
        except aiohttp.ClientHttpProxyError as error:
            what = f"the proxy answered {error.status}"
            kind = BotMisconfigured if error.status in _PROXY_REFUSALS else BotUnavailable
            raise Trouble(kind(), what, _PROXY_HINT, again_seconds=Trouble.RETRY_SECONDS) from None
        except aiohttp.ClientProxyConnectionError:
            what = "the proxy cannot be reached"
            raise Trouble(BotUnavailable(), what, _PROXY_HINT, again_seconds=Trouble.RETRY_SECONDS) from None
        except aiohttp.ClientConnectionError as error:  # also if connecting takes too long
            what = f"it cannot be reached: {type(error).__name__}"
            hint = "check that it runs, and CHAT_OPENAI_BASE_URL"
            raise Trouble(BotUnavailable(), what, hint, again_seconds=Trouble.RETRY_SECONDS) from None
        except TimeoutError:
            what = f"it did not start to respond within {seconds:g} s"
            raise Trouble(BotTimeout(), what, "raise CHAT_OPENAI_FIRST_BYTE_SECONDS") from None
        except RuntimeError:
            if not session.closed:
                raise
            # The bot has ended, as `local` does with its model's process: another request would find the same.
            raise Trouble(BotUnavailable(), "the connections to it are closed") from None
        except (aiohttp.ClientError, ValueError) as error:
            what = f"its response is not HTTP: {type(error).__name__}"
            raise Trouble(BotFailed(), what, "check CHAT_OPENAI_BASE_URL") from None

    async def _refusal(self, response: aiohttp.ClientResponse, body: Body) -> Trouble:
        """The error for a status other than 200."""
        what = f"it answered {response.status}"
        if response.status == _PROXY_AUTHENTICATION and self._engine.proxy:
            return Trouble(BotMisconfigured(), f"the proxy answered {response.status}", _PROXY_HINT)
        if response.status in _REDIRECTS:
            hint = "set CHAT_OPENAI_BASE_URL to its target"
            return Trouble(BotMisconfigured(), f"{what}, a redirect, which is not followed", hint)
        try:
            async with asyncio.timeout(_ERROR_SECONDS):
                said = await body.read_all(_ERROR_PATIENCE)
        except (Trouble, TimeoutError):
            said = b""
        understanding = understood(response.status, _error(said))
        return complained(understanding, what, retry_seconds(response.headers))

    def _new_session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        engine = self._engine
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Content-Type": "application/json"}
        if engine.api_key is not None:
            headers["Authorization"] = f"Bearer {engine.api_key}"
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers | dict(engine.headers),
            timeout=aiohttp.ClientTimeout(total=None, connect=engine.connect_seconds),
            trace_configs=[tracing],
            auto_decompress=False,
        )


async def _note_reuse(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.is_reused = True


def _error(said: bytes) -> object:
    """Parsed JSON or plain text; an HTML page is ignored."""
    try:
        return from_json(said)
    except ValueError:
        return "" if said.lstrip()[:1] == b"<" else said[:8192].decode("utf-8", "replace")
