"""Principals, and the API keys that identify them: what the domain and its store know about access."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller. What it creates belongs to it, and nobody else can tell that it exists."""

    name: str


EVERYBODY = Principal("")
"""The caller where access control is off; also the owner of everything that was created then."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is stored about a key. The key itself is shown once and never stored."""

    key_id: str
    name: str
    """The principal's name. Keys with the same name open the same conversations, so a key can be replaced."""
    secret_hash: str
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None

    def is_good(self, now_ms: int) -> bool:
        """Whether the key is valid at this moment."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a client has had in a window that has not ended."""

    client: str
    """A digest: it says who only to those who know already."""
    words: int
    ends_ms: int
    """Since 1970."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a client has had in addition."""

    client: str
    words: int
    begins_anew: bool
    """Whether its last window has ended, whatever the wall clock says."""


class BudgetStore(Protocol):
    """Where the words that clients have received are kept. All methods raise `StorageUnavailable`."""

    async def spent(self, now_ms: int) -> Iterable[Spent]:
        """All windows that have not ended, those that end first at the front; others are forgotten."""
        ...

    async def spend(self, charges: Sequence[Charge], now_ms: int, window_ms: int) -> Iterable[Spent]:
        """Add to what clients have had, in a window of so many milliseconds if none is open. Returns what they have."""
        ...


class KeyStore(Protocol):
    """Stores API keys. All methods raise `StorageUnavailable` if the database fails."""

    async def keys(self) -> Iterable[ApiKey]:
        """All keys, including revoked ones, oldest first."""
        ...

    async def add_key(self, key: ApiKey) -> None:
        """Store a new key."""
        ...

    async def revoke_key(self, key_id: str, now_ms: int) -> bool:
        """Mark a key as revoked. Returns whether it exists; does nothing if it is already revoked."""
        ...
