"""Lets requests in, or not, before anything of them is read: where they come from, who asks, and how much already.

Credentials are RFC 6750's bearer tokens: keys of ours, or tokens of an issuer's that the operator trusts.
"""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network

import structlog
from starlette.types import Scope

from app.access.errors import CredentialsMissing, InvalidToken
from app.access.grants import Grant, Verifier
from app.access.keys import KeyRing
from app.access.limits import Headers, Limits
from app.access.origins import Origins
from app.access.seldom import Seldom
from app.chat.access import EVERYBODY, Principal
from app.chat.errors import ChatError, RateLimited

_IPV6_PREFIX = 64
"""Of an IPv6 address, so many bits are a client's network; the rest it makes up as it likes."""


_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that was let in."""

    grant: Grant
    client: str
    """Who is counted: the principal or, where there are none, the address."""
    refusal: ChatError | None = None
    """Why no reply may be started: one that the same request has started before may still be read."""

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return self.grant.principal


class Gate:
    """Asked once for each request to an operation that wants credentials."""

    def __init__(self, keys: KeyRing, verify: Verifier | None, limits: Limits, origins: Origins) -> None:
        """`verify` tells what other tokens open; pages of `origins` may do what a page of our own may."""
        self._keys = keys
        self._verify = verify
        self._limits = limits
        self._origins = origins
        self._open = Grant(EVERYBODY)
        self._seldom = Seldom()

    @property
    def is_locked(self) -> bool:
        """Whether credentials are asked for."""
        return self._verify is not None or self._keys.has_keys

    @property
    def has_keys(self) -> bool:
        """Whether there are keys of ours."""
        return self._keys.has_keys

    @property
    def counts_streams(self) -> bool:
        """Whether a client may have only so many open."""
        return self._limits.counts_streams

    async def admit(self, scope: Scope, *, is_stream: bool, may_repeat: bool) -> Admission:
        """Let a request in, or raise a `ChatError`: nobody may ask so, it cannot be known, or it is too much.

        Whoever asked for an `is_stream` calls `leave` once, when it is over, if streams are counted. A request that
        `may_repeat` an earlier one, which its idempotency key tells, is let in beyond the limit, with a refusal.
        """
        headers = scope["headers"]
        self._origins.refuse_other_sites(scope)
        if self.is_locked:
            grant = await self._grant([value for name, value in headers if name == b"authorization"])
            client = grant.principal.name
        else:
            grant = self._open
            client = f"address:{_counted(scope['client'][0]) if scope.get('client') else ''}"
        refusal = None
        if self._limits.are_set:
            said: Headers = []
            scope["chat.headers"] = said  # in every answer to it: a refusal, too
            try:
                await self._limits.count(client, said)
            except RateLimited as error:
                if not (may_repeat and any(name == b"idempotency-key" for name, _ in headers)):
                    raise
                refusal = error
            if is_stream:
                await self._limits.enter(client)
        admission = Admission(grant, client, refusal)
        scope["chat.admission"] = admission
        return admission

    def leave(self, admission: Admission) -> None:
        """A stream is over."""
        self._limits.leave(admission.client)

    async def _grant(self, authorization: list[bytes]) -> Grant:
        if len(authorization) > 1:
            raise InvalidToken  # which one is meant?
        scheme, _, token = (authorization or [b""])[0].decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            raise CredentialsMissing
        token = token.strip(" ")
        grant = self._keys.grant(token)
        if grant is None and self._verify is not None:
            grant = await self._verify(token)
        if grant is None or grant.is_over:
            self._tell(token)
            raise InvalidToken
        return grant

    def _tell(self, token: str) -> None:
        """Why, in the log, and nothing of the token; a verifier tells by itself."""
        is_jwt = token.count(".") == 2  # noqa: PLR2004 - three parts
        if is_jwt and self._verify is not None:
            return
        reason = "no issuer is set. Next: set all CHAT_JWT_..., or send a key" if is_jwt else self._keys.why_not(token)
        if count := self._seldom.count(reason):
            kind = "a JSON Web Token" if is_jwt else "an API key"
            _log.warning(f"{kind} was refused: {reason}", count=count)


def admission_of(scope: Scope) -> Admission:
    """That of a request that was let in."""
    admission: Admission = scope["chat.admission"]
    return admission


@lru_cache(maxsize=4096)
def _counted(host: str) -> str:
    """Who is counted for an address; all whose address is none are one."""
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), _IPV6_PREFIX), strict=False))
