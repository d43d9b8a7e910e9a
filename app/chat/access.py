"""Principals, and the API keys that name them: what the domain and its store know of access."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. What they make is theirs, and nobody else can tell that it is there."""

    name: str


EVERYBODY = Principal("")
"""Who asks where access control is off; and whose is what was said then."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is stored of a key. The key itself is shown once, and never stored."""

    key_id: str
    name: str
    """Of its principal: keys of one name open the same conversations, so that a key can be replaced."""
    secret_hash: str
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None

    def is_good(self, now_ms: int) -> bool:
        """Whether it opens anything at this moment."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


class KeyStore(Protocol):
    """Where keys are kept. All methods raise `StorageUnavailable` if the database does not play."""

    async def keys(self) -> Iterable[ApiKey]:
        """All there are, revoked ones too, oldest first."""
        ...

    async def add_key(self, key: ApiKey) -> None:
        """Keep one more."""
        ...

    async def revoke_key(self, key_id: str, now_ms: int) -> bool:
        """Mark one. Returns whether it was there; nothing happens to one that has been revoked before."""
        ...
