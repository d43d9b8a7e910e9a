"""An idempotency key as the domain sees it: scoped to its principal, because two principals may use the same one."""

import hashlib

from app.chat.access import Principal
from app.chat.requests import Idempotency

_HALF = 32


def idempotency(key: str | None, principal: Principal, content: str, within: str = "") -> Idempotency | None:
    """Digests of a request's key and of what it asks for; `None` without a key.

    `within` is where the key counts, if not everywhere. What has the same key elsewhere has the same `beginning_of` it.
    """
    if not key:
        return None
    digest = _digest(f"{principal.name}\0{key}")
    if within:
        digest = digest[:_HALF] + _digest(within)[:_HALF]
    return Idempotency(digest, _digest(content))


def beginning_of(key: str, principal: Principal) -> str:
    """What the digests of a principal's key begin with, wherever it counts."""
    return _digest(f"{principal.name}\0{key}")[:_HALF]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
