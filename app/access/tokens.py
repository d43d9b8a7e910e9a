"""JSON Web Tokens (RFC 7519) of an issuer that the operator trusts, checked with the keys that it publishes."""

import hashlib
import logging
import time
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jwt

from app.access.grants import Grant
from app.access.issuers import Issuer, IssuerKeys
from app.access.jwk import Key
from app.access.seldom import Seldom
from app.chat.access import Principal

_MOST_TOKENS = 10_000
_MOST_TRIES = 8
_LEEWAY_SECONDS = 60
"""Clocks differ. Most verifiers allow a minute; RFC 7519 (4.1.4), "no more than a few"."""

_LONGEST_TOKEN = 65_536
"""As long as a request's head may be: members of many groups have long tokens."""

_TYPES = {"jwt", "at+jwt"}
"""What a token may call itself: an access token (RFC 9068) or nothing special. A logout token opens nothing."""

_NOT_GOOD = (jwt.PyJWTError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What parsing a token may raise: whoever wrote it may have written anything."""

_HINTS = {
    "algorithm": "add its algorithm to CHAT_JWT_ALGORITHMS, if the issuer signs with that",
    "audience": "compare CHAT_JWT_AUDIENCE with the `aud` of the tokens, and have the issuer add it",
    "claim-missing": "have the issuer put `exp`, `iss`, `aud` and `sub` into its tokens",
    "expired": "the client has to get a new one",
    "issuer": "compare CHAT_JWT_ISSUER with the `iss` of the tokens",
    "not-yet-valid": "compare the clocks of the issuer and of this machine",
    "type": "send access tokens, whose `typ` is `JWT` or `at+jwt`",
    "unknown-key": "check that CHAT_JWT_KEYS_URL is of the issuer that signs the tokens",
}

_logger = logging.getLogger(__name__)


class _Refused(Exception):
    """Says why, by a word of ours."""


class _Opened(NamedTuple):
    until: float
    grant: Grant


class TokenVerifier:
    """Tells what a token opens: `app.access.grants.Verifier`."""

    def __init__(self, issuer: Issuer) -> None:
        """Nothing is asked of the issuer before the first token."""
        self._issuer = issuer
        self._keys = IssuerKeys(issuer, self._forget)
        self._opened: dict[bytes, _Opened] = {}  # by digest of the token
        # Those that something has let in, and the text of the key. A token may have several: two requests may wait for
        # its key, and what is not among the last ones opened is verified anew.
        self._keys_of: WeakKeyDictionary[Grant, str] = WeakKeyDictionary()
        self._seldom = Seldom()

    async def __call__(self, token: str) -> Grant | None:
        """What the token opens; `None` if it is not good. Raises `AccessUnavailable` if that cannot be known."""
        if token.count(".") != 2:  # noqa: PLR2004 - three parts
            return None
        await self._keys.refresh()
        digest = hashlib.sha256(token.encode()).digest()
        opened = self._opened.get(digest)
        if opened is not None and time.time() < opened.until:
            return opened.grant
        try:
            opened = await self._verified(token)
        except _Refused as refused:
            self._tell(str(refused))
            return None
        while len(self._opened) >= _MOST_TOKENS:
            del self._opened[next(iter(self._opened))]
        self._opened[digest] = opened
        return opened.grant

    async def _verified(self, token: str) -> _Opened:
        """Raises `_Refused`."""
        if len(token) > _LONGEST_TOKEN:
            raise _Refused("too-long")
        kid, algorithm = self._header(token)
        try:
            key, claims = self._claims(token, kid, algorithm)
        except _Refused as refused:
            if str(refused) not in {"unknown-key", "signature"}:
                raise
            tried = self._keys.texts
            await self._keys.refresh(at_once=True)  # the issuer may have a new one
            if self._keys.texts == tried:
                raise
            key, claims = self._claims(token, kid, algorithm)
        if not claims["sub"].strip():  # a string, by now; all that have none would be one principal
            raise _Refused("claim-missing")
        try:
            ends_at = float(claims["exp"]) + _LEEWAY_SECONDS
            subject = hashlib.sha256(f"{self._issuer.name}\0{claims['sub']}".encode()).hexdigest()[:32]
        except _NOT_GOOD:
            raise _Refused("malformed") from None
        grant = Grant(Principal(f"jwt:{subject}"), ends_at)
        self._keys_of[grant] = key.text
        return _Opened(ends_at, grant)

    def _header(self, token: str) -> tuple[str | None, str]:
        """The key's name, if there is one, and the algorithm."""
        try:
            header = jwt.get_unverified_header(token)
            kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")
        except _NOT_GOOD:
            raise _Refused("malformed") from None
        kid, algorithm = header.get("kid"), header.get("alg")
        if kind not in _TYPES:
            raise _Refused("type")
        if algorithm not in self._issuer.algorithms:
            raise _Refused("algorithm")
        if not isinstance(kid, str | None):
            raise _Refused("malformed")
        return kid, str(algorithm)

    def _claims(self, token: str, kid: str | None, algorithm: str) -> tuple[Key, dict[str, Any]]:
        """Of a token that one of the keys has signed, and which key that is."""
        keys = self._keys.fitting(kid, algorithm)
        if not keys:
            raise _Refused("unknown-key")
        name = self._issuer.name.removesuffix("/")
        for key in keys[:_MOST_TRIES]:
            try:
                claims = jwt.decode(
                    token,
                    key.public,
                    algorithms=[algorithm],
                    audience=self._issuer.audience,
                    issuer=[name, f"{name}/"],  # people write it either way
                    leeway=_LEEWAY_SECONDS,
                    options={"require": ["exp", "iss", "aud", "sub"]},
                )
            except jwt.InvalidSignatureError:
                continue
            except _NOT_GOOD as error:
                raise _Refused(_reason(error)) from None
            return key, claims
        raise _Refused("signature")

    def _forget(self) -> None:
        """End the grants of keys that the issuer has withdrawn."""
        texts = self._keys.texts
        for grant, key in list(self._keys_of.items()):
            if key not in texts:
                grant.end()
        self._opened = {digest: opened for digest, opened in self._opened.items() if not opened.grant.is_over}

    def _tell(self, reason: str) -> None:
        """Nothing of the token is in it."""
        if count := self._seldom.count(reason):
            hint = f". Next: {_HINTS[reason]}" if reason in _HINTS else ""
            _logger.warning("a JSON Web Token was refused: %s (count=%d)%s", reason, count, hint)


def _reason(error: BaseException) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "expired"
        case jwt.ImmatureSignatureError():
            return "not-yet-valid"
        case jwt.InvalidAudienceError():
            return "audience"
        case jwt.InvalidIssuerError():
            return "issuer"
        case jwt.MissingRequiredClaimError():
            return "claim-missing"
        case _:
            return "malformed"
