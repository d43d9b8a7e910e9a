"""JSON Web Tokens (RFC 7519) of an issuer that the operator trusts, checked with the keys that it publishes."""

import asyncio
import hashlib
import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
import jwt

from app.access.grants import Grant
from app.chat.access import Principal
from app.chat.errors import AccessUnavailable

_ISSUER_SECONDS = 5.0
_MOST_BYTES = 2**20
_MOST_TOKENS = 10_000
_LEEWAY_SECONDS = 5
_LONGEST_TOKEN = 8_192
_OK = 200

_NOT_GOOD = (jwt.PyJWTError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What parsing a token, or a key, may raise: whoever wrote either may have written anything."""

_logger = logging.getLogger(__name__)

_Jwk = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whom to trust, and how far."""

    name: str
    """Its `iss`."""
    audience: str
    keys_url: str
    algorithms: Sequence[str]
    keys_seconds: float = 600.0
    """So long its keys are taken as they are; a key that it has withdrawn lasts as long."""
    pause_seconds: float = 10.0
    """A token with a key that nobody has heard of makes us ask the issuer again, but not more often than this."""


class _Opened(NamedTuple):
    until: float
    kid: str | None
    grant: Grant


class TokenVerifier:
    """Tells what a token opens: `app.chat.access.Verifier`."""

    def __init__(self, issuer: Issuer) -> None:
        """Nothing is asked of the issuer before the first token."""
        self._issuer = issuer
        self._keys: Mapping[str | None, _Jwk] = {}
        self._had_at = self._asked_at = -math.inf
        self._asking = asyncio.Lock()
        self._opened: dict[bytes, _Opened] = {}  # by digest of the token

    async def __call__(self, token: str) -> Grant | None:
        """What the token opens; `None` if it is not good. Raises `AccessUnavailable` if that cannot be known."""
        if len(token) > _LONGEST_TOKEN or token.count(".") != 2:  # noqa: PLR2004 - three parts
            return None
        await self._refresh()
        digest = hashlib.sha256(token.encode()).digest()
        opened = self._opened.get(digest)
        if opened is not None and time.time() < opened.until:
            return opened.grant
        opened = await self._verified(token)
        if opened is None:
            return None
        while len(self._opened) >= _MOST_TOKENS:
            del self._opened[next(iter(self._opened))]
        self._opened[digest] = opened
        return opened.grant

    async def _verified(self, token: str) -> _Opened | None:
        issuer = self._issuer
        try:
            header = jwt.get_unverified_header(token)
            kid, algorithm = header.get("kid"), header.get("alg")
            if kid not in self._keys:
                await self._refresh(at_once=True)  # the issuer may have a new one
            key = self._keys.get(kid)
            if key is None or algorithm not in issuer.algorithms or key.get("alg", algorithm) != algorithm:
                return None
            claims = jwt.decode(
                token,
                jwt.PyJWK(key, algorithm),  # not all issuers say which a key is for
                algorithms=list(issuer.algorithms),
                audience=issuer.audience,
                issuer=issuer.name,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            ends_at = float(claims["exp"]) + _LEEWAY_SECONDS
            subject = hashlib.sha256(f"{issuer.name}\0{claims['sub']}".encode()).hexdigest()[:32]
        except _NOT_GOOD:
            return None
        return _Opened(ends_at, kid, Grant(Principal(f"jwt:{subject}"), ends_at))

    async def _refresh(self, *, at_once: bool = False) -> None:
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
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError) as error:
            _logger.warning("the token issuer's keys are not available: %s", type(error).__name__)
            return
        for digest, opened in list(self._opened.items()):
            if keys.get(opened.kid) != self._keys.get(opened.kid):
                del self._opened[digest]
                opened.grant.end()
        self._keys = keys
        self._had_at = asyncio.get_running_loop().time()

    async def _published(self) -> Mapping[str | None, _Jwk]:
        """By their names. Raises `ValueError` for what is no set of keys."""
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_ISSUER_SECONDS),
                headers={"Accept-Encoding": "identity"},  # what is compressed may have any size
                auto_decompress=False,
            ) as session,
            session.get(self._issuer.keys_url, allow_redirects=False) as response,
        ):
            if response.status != _OK:
                raise ValueError
            body = b""
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > _MOST_BYTES:
                    raise ValueError
        found = json.loads(body)
        jwks = found.get("keys") if isinstance(found, dict) else None
        keys = {jwk.get("kid"): jwk for jwk in jwks if _is_usable(jwk)} if isinstance(jwks, list) else {}
        if not keys:
            raise ValueError
        return keys


def _is_usable(jwk: object) -> bool:
    return isinstance(jwk, dict) and jwk.get("use", "sig") == "sig" and isinstance(jwk.get("kid"), str | None)
