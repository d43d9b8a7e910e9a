"""API keys: how they are made, and which of them are valid at the moment."""

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
import time
from types import TracebackType
from typing import Self

from app.access.grants import Grant
from app.access.seldom import Seldom
from app.chat.access import ApiKey, KeyStore, Principal
from app.chat.errors import StorageUnavailable

_KEY = re.compile("chat_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LOOK_EVERY_SECONDS = 2.0
_NOBODY = hashlib.sha256(secrets.token_bytes()).hexdigest()
"""What the secret of a key that does not exist is compared with: that takes as long."""

_logger = logging.getLogger(__name__)


def new_key(name: str, expires_ms: int | None) -> tuple[str, ApiKey]:
    """A key to show once, and what to keep of it. Raises `ValueError` for a name that is not of the form."""
    if not _NAME.fullmatch(name):
        msg = "a name has up to 63 letters, digits, dots, dashes and underscores, and begins with a letter or digit"
        raise ValueError(msg)
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    created_ms = time.time_ns() // 1_000_000
    return f"chat_{key_id}_{secret}", ApiKey(key_id, name, _hash(secret), created_ms, expires_ms, None)


class KeyRing:
    """The keys of the store, in memory. An async context manager: as long as it lasts, it looks there again and again.

    So what changes there takes effect within seconds, in every instance, and no request waits for the database.
    """

    def __init__(self, store: KeyStore) -> None:
        """Empty."""
        self._store = store
        self._keys: dict[str, ApiKey] = {}
        self._grants: dict[str, Grant] = {}
        self._seldom = Seldom()
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        """Look, and begin to look again and again. Raises `StorageUnavailable`."""
        await self.refresh()
        self._task = asyncio.create_task(self._keep_looking())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            try:
                await self.refresh()
            except StorageUnavailable:
                pass  # what was known is better than nothing; the next time it may be there
            except Exception as problem:  # noqa: BLE001 - without this task, no key is revoked any more
                kind = type(problem).__qualname__
                if count := self._seldom.count(kind):
                    _logger.error("changes of API keys were not read: %s (count=%d)", kind, count)  # noqa: TRY400

    @property
    def has_keys(self) -> bool:
        """Whether there are any, good or not: who has revoked the last one does not mean to let everybody in."""
        return bool(self._keys)

    async def refresh(self) -> None:
        """Look at the store, and end the grants of keys that are no longer good. Raises `StorageUnavailable`."""
        self._keys = {key.key_id: key for key in await self._store.keys()}
        now_ms = time.time_ns() // 1_000_000
        for key_id, grant in list(self._grants.items()):
            key = self._keys.get(key_id)
            if key is None or not key.is_good(now_ms):
                del self._grants[key_id]
                grant.end()

    def why_not(self, presented: str) -> str:
        """In a word, why a key opens nothing."""
        match = _KEY.fullmatch(presented)
        key = self._keys.get(match[1]) if match else None
        if key is None or match is None or not hmac.compare_digest(_hash(match[2]), key.secret_hash):
            return "unknown"
        return "revoked" if key.revoked_ms is not None else "expired"

    def grant(self, presented: str) -> Grant | None:
        """What a key opens; `None` if it is none of ours, or no longer good."""
        match = _KEY.fullmatch(presented)
        key = self._keys.get(match[1]) if match else None
        secret = match[2] if match else presented
        is_right = hmac.compare_digest(_hash(secret), key.secret_hash if key else _NOBODY)
        if key is None or not is_right or not key.is_good(time.time_ns() // 1_000_000):
            return None
        if key.key_id not in self._grants:
            ends_at = None if key.expires_ms is None else key.expires_ms / 1000
            self._grants[key.key_id] = Grant(Principal(f"key:{key.name}"), ends_at)
        return self._grants[key.key_id]


def _hash(secret: str) -> str:
    """One round will do: a secret has 256 bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()
