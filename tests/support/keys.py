"""Creates and revokes keys for tests like `python -m app keys`."""

import time

from app.access.keys import new_key
from app.operators.opened import opened
from app.settings import Settings
from app.storage.keys import SqlKeyStore


async def made_key(database_url: str, name: str = "somebody", *, lasts_seconds: float | None = None) -> tuple[str, str]:
    """Create a key, and the database if it does not exist. Returns the key and its id."""
    expires_ms = None if lasts_seconds is None else int((time.time() + lasts_seconds) * 1000)
    shown, key = new_key(name, expires_ms)
    async with opened(Settings(database_url=database_url), create=True) as transactions:
        await SqlKeyStore(transactions).add_key(key)
    return shown, key.key_id


async def revoke(database_url: str, key_id: str) -> None:
    """Revoke a key."""
    async with opened(Settings(database_url=database_url)) as transactions:
        assert await SqlKeyStore(transactions).revoke_key(key_id, time.time_ns() // 1_000_000)


def bearer(key: str) -> str:
    """The value of `Authorization`."""
    return f"Bearer {key}"
