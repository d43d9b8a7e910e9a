"""The keys of a token issuer, as it publishes them (JWKS): asked for, kept, and asked for again."""

import asyncio
import json
import logging
import math
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

from app.access.jwk import Key, usable
from app.access.seldom import Seldom
from app.chat.errors import AccessUnavailable

_ISSUER_SECONDS = 5.0
_MOST_BYTES = 2**20
_OK = 200
_REDIRECTS = range(300, 400)
_TOLD_SECONDS = 300.0
_NEXT = "check CHAT_JWT_KEYS_URL"
_PROXY_HINT = "check HTTPS_PROXY or HTTP_PROXY and its password, or add the issuer to NO_PROXY"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whom to trust, and how far."""

    name: str
    """Its `iss`, with or without a slash at the end."""
    audience: str
    keys_url: str
    algorithms: Sequence[str]
    keys_seconds: float = 600.0
    """So long its keys are taken as they are; a key that it has withdrawn lasts as long."""
    pause_seconds: float = 10.0
    """A token with a key that nobody has heard of makes us ask the issuer again, but not more often than this."""
    proxy: str | None = field(default=None, repr=False)
    """What requests go through. There may be a password in it."""


class _NotHad(Exception):
    """What came instead of keys, and what to do."""

    def __init__(self, what: str, hint: str = _NEXT) -> None:
        super().__init__(f"{what}. Next: {hint}")


class IssuerKeys:
    """An issuer's keys, in memory."""

    def __init__(self, issuer: Issuer, notify: Callable[[], None]) -> None:
        """Nothing is asked of the issuer before they are needed. `notify` is called when there are others."""
        self._issuer = issuer
        self._notify = notify
        self._keys: list[Key] = []
        self._had_at = self._asked_at = -math.inf
        self._asking = asyncio.Lock()
        self._seldom = Seldom(_TOLD_SECONDS)
        self._is_missed = False

    @property
    def texts(self) -> set[str]:
        """What tells the keys apart."""
        return {key.text for key in self._keys}

    def fitting(self, kid: str | None, algorithm: str) -> list[Key]:
        """Those that may have signed a token with this header. RFC 7517 (4.5): several may have one name, or none."""
        return [key for key in self._keys if key.fits(algorithm) and (kid is None or key.kid in {kid, None})]

    async def refresh(self, *, at_once: bool = False) -> None:
        """Ask the issuer for its keys, if it is time.

        Raises `AccessUnavailable` if there are none. Where there are some, only who has to waits for the issuer.
        """
        now = asyncio.get_running_loop().time()
        is_due = at_once or not self._keys or now - self._had_at >= self._issuer.keys_seconds
        if is_due and now - self._asked_at >= self._issuer.pause_seconds:
            self._asked_at = now
            async with self._asking:
                await self._ask()
        elif at_once or not self._keys:
            async with self._asking:  # perhaps somebody asks just now
                pass
        if not self._keys:
            again_seconds = self._asked_at + self._issuer.pause_seconds - asyncio.get_running_loop().time()
            raise AccessUnavailable(retry_after_seconds=max(1, math.ceil(again_seconds)))

    async def _ask(self) -> None:
        try:
            keys = await self._published()
        except (_NotHad, aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError) as error:
            self._is_missed = True
            if self._seldom.count(what := _reason(error)):
                _logger.warning("the token issuer's keys are not available: %s", what)
            return
        if self._is_missed:
            self._is_missed = False
            self._seldom = Seldom(_TOLD_SECONDS)
            _logger.info("the token issuer's keys are available again: %d", len(keys))
        self._keys = keys
        self._had_at = asyncio.get_running_loop().time()
        self._notify()

    async def _published(self) -> list[Key]:
        """May raise what `_ask` catches."""
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_ISSUER_SECONDS),
                headers={"Accept-Encoding": "identity"},  # what is compressed may have any size
                auto_decompress=False,
            ) as session,
            session.get(self._issuer.keys_url, allow_redirects=False, proxy=self._issuer.proxy) as response,
        ):
            if response.status in _REDIRECTS:
                what = f"it answered {response.status}, a redirect, which is not followed"
                raise _NotHad(what, "set CHAT_JWT_KEYS_URL to where it leads")
            if response.status != _OK:
                raise _NotHad(f"it answered {response.status}")
            body = b""
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > _MOST_BYTES:
                    raise _NotHad(f"its answer is larger than {_MOST_BYTES} bytes")
        return _keys(body)


def _keys(body: bytes) -> list[Key]:
    if body.lstrip()[:1] == b"<":
        raise _NotHad("its answer is a page")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise _NotHad("its answer is not JSON") from None
    if isinstance(found, dict) and "jwks_uri" in found and "keys" not in found:
        raise _NotHad("its answer is the issuer's configuration", "set CHAT_JWT_KEYS_URL to the `jwks_uri` in it")
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise _NotHad("its answer is no set of keys")
    keys = usable(entries)
    if not keys:
        raise _NotHad(f"none of its {len(entries)} keys verifies signatures")
    return keys


def _reason(error: BaseException) -> str:  # noqa: PLR0911 - a cause each
    """Why, and what to do. Only what we have written ourselves is repeated."""
    match error:
        case _NotHad():
            return str(error)
        case aiohttp.ClientHttpProxyError():
            return str(_NotHad(f"the proxy answered {error.status}", _PROXY_HINT))
        case aiohttp.ClientProxyConnectionError():
            return str(_NotHad("the proxy cannot be reached", _PROXY_HINT))
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            hint = "let its certificate be signed by an authority that is known here, or name that in SSL_CERT_FILE"
            return str(_NotHad("its certificate is not trusted", hint))
        case aiohttp.ClientConnectorDNSError():
            return str(_NotHad("its host name is not known"))
        case aiohttp.ClientSSLError():
            return str(_NotHad("it does not speak TLS"))
        case TimeoutError():
            return str(_NotHad(f"it did not answer within {_ISSUER_SECONDS:g} s", f"check that it runs, or {_NEXT}"))
        case aiohttp.ClientConnectionError() | OSError():
            return str(_NotHad("it cannot be reached", f"check that it runs, or {_NEXT}"))
        case _:
            return str(_NotHad(f"its answer is not HTTP: {type(error).__name__}"))
