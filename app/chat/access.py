"""Who may ask: principals, the grants that let their requests in, and the keys that they show.

A grant may end while a stream that it let in is open: the key is revoked, the token expires. Then who reads is told.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from app.chat.errors import StorageUnavailable

_KEY = re.compile("chat_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LOOK_EVERY_SECONDS = 2.0
_NOBODY = hashlib.sha256(secrets.token_bytes()).hexdigest()
"""What the secret of a key that does not exist is compared with: that takes as long."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. What they make is theirs, and nobody else can tell that it is there."""

    name: str


EVERYBODY = Principal("")
"""Who asks where access control is off; and whose is what was said then."""


class Grant:
    """Lets requests of a principal in, until it ends."""

    __slots__ = ("_ends_at", "_listeners", "_timer", "is_over", "principal")

    def __init__(self, principal: Principal, ends_at: float | None = None) -> None:
        """`ends_at`: seconds since 1970, for one that ends by itself."""
        self.principal = principal
        self.is_over = False
        self._ends_at = ends_at
        self._listeners: set[Callable[[], None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, notify: Callable[[], None]) -> None:
        """Call `notify`, which must not raise, when the grant ends."""
        self._listeners.add(notify)
        if self._timer is None and self._ends_at is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0, self._ends_at - time.time()), self.end)

    def unlisten(self, notify: Callable[[], None]) -> None:
        """Undo `listen`."""
        self._listeners.discard(notify)
        if self._timer is not None and not self._listeners:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """Let nobody in any more."""
        self.is_over = True
        for notify in tuple(self._listeners):
            notify()


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
            with suppress(StorageUnavailable):  # what was known is better than nothing; the next time it may be there
                await self.refresh()

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


Verifier = Callable[[str], Awaitable[Grant | None]]
"""Tells what another kind of token opens."""


def _hash(secret: str) -> str:
    """One round will do: a secret has 256 bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()
