"""An idempotency key as the domain sees it: scoped to its principal, because two principals may use the same one."""

import hashlib

from app.chat.access import Principal
from app.chat.requests import Idempotency


def idempotency(key: str | None, principal: Principal, content: str) -> Idempotency | None:
    """Digests of a request's key and of what it asks for; `None` without a key."""
    return Idempotency(_digest(f"{principal.name}\0{key}"), _digest(content)) if key else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
