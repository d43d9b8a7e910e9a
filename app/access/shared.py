"""Counts of requests and of open streams that instances share, on a Valkey or Redis server.

What waits at the same time goes out together, so a request costs one way there and back, within `PATIENCE_SECONDS`;
then the process's own counts decide, until the server answers again. The storage of the library `limits` would take
three: one to count, one for what is left, and one for when there is more.

A dead instance's streams are given back: each open stream is an entry that expires unless its instance renews it.
Clients are stored as digests: an address is personal data.
"""

import asyncio
import hashlib
import itertools
import logging
import secrets
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from redis.asyncio import Redis

PATIENCE_SECONDS = 0.25
_AGAIN_SECONDS = 1.0
"""So often a server that does not answer is asked again."""
_STREAM_SECONDS = 30.0
"""How long a stream counts that nobody renews."""
_RENEWALS = 3
"""In this time."""
_MOST_AT_ONCE = 500
_OF_ONE_KEY = ("WRONGTYPE", "not an integer")
"""In errors about a key that another program has written: they concern one client."""

# Scripts, so that nothing comes between a count and its end.
_REQUEST = (
    "local count = redis.call('INCR', KEYS[1]) local left = redis.call('PTTL', KEYS[1]) "
    "if left < 0 then left = tonumber(ARGV[1]) redis.call('PEXPIRE', KEYS[1], left) end return {count, left}"
)
_NOW = "local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000) "
_ENTER = (
    _NOW + "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now) "
    "if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end "
    "redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[3]) redis.call('PEXPIRE', KEYS[1], ARGV[1]) return 1"
)
_RENEW = (
    _NOW + "for n = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[n]) end "
    "return redis.call('PEXPIRE', KEYS[1], ARGV[1])"
)
_LEAVE = "return redis.call('ZREM', KEYS[1], ARGV[1])"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    script: str
    key: str
    arguments: tuple[str | int, ...]
    answer: asyncio.Future[Any] | None = None


class SharedCounts:
    """An async context manager."""

    def __init__(self, client: Redis, prefix: str, stream_seconds: float = _STREAM_SECONDS) -> None:
        """Takes over the client; all keys begin with `prefix`."""
        self._client = client
        self._prefix = prefix
        self._stream_ms = int(stream_seconds * 1000)
        self._name = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._open: dict[str, list[str]] = {}
        self._calls: list[_Call] = []
        self._news = asyncio.Event()
        self._is_up = True
        self._asks_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin. The server need not be there."""
        self._tasks = [asyncio.create_task(self._keep_calling()), asyncio.create_task(self._keep_renewing())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back what is still open, and disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in list(self._open):
            while client in self._open:
                self.leave(client)
        if self._calls and self._is_up:
            await self._call(self._calls)
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def request(self, client: str, window_seconds: int) -> tuple[int, float] | None:
        """Count one more in the client's window. Returns how many there are and the seconds left; `None`: unknown."""
        answer = await self._ask(_REQUEST, self._key("requests", client), window_seconds * 1000)
        return None if answer is None else (int(answer[0]), int(answer[1]) / 1000)

    async def enter(self, client: str, most: int) -> bool | None:
        """Open one more stream, if there are less than `most`. Returns whether it is open; `None`: unknown, but it is.

        What is open is to be left.
        """
        member = f"{self._name}:{next(self._numbers)}"
        is_open: bool | None = False
        try:
            answer = await self._ask(_ENTER, self._key("streams", client), self._stream_ms, most, member)
            is_open = None if answer is None else bool(answer)
        finally:
            if is_open is False:
                self._give_back(client, member)  # who is cancelled may have it all the same
            else:  # not before: another stream that ends meanwhile would give it back as its own
                self._open.setdefault(client, []).append(member)
        return is_open

    def leave(self, client: str) -> None:
        """A stream is over."""
        if members := self._open.get(client):
            self._give_back(client, members.pop())
            if not members:
                del self._open[client]

    def _give_back(self, client: str, member: str) -> None:
        self._send(_Call(_LEAVE, self._key("streams", client), (member,)))

    def _key(self, kind: str, client: str) -> str:
        return f"{self._prefix}limits:{kind}:{hashlib.sha256(client.encode()).hexdigest()}"

    async def _ask(self, script: str, key: str, *arguments: str | int) -> Any:  # noqa: ANN401 - each has its own
        """The answer of a script; `None` if there is none in time."""
        loop = asyncio.get_running_loop()
        if not self._is_up:
            if loop.time() < self._asks_at:
                return None
            self._asks_at = loop.time() + _AGAIN_SECONDS  # this one tries; the others do not wait
        answer: asyncio.Future[Any] = loop.create_future()
        self._send(_Call(script, key, arguments, answer))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await answer
        except TimeoutError as error:
            self._fail(error)
            return None

    def _send(self, call: _Call) -> None:
        if self._is_up or call.answer is not None:  # what is not asked, is renewed or expires
            self._calls.append(call)
            self._news.set()

    async def _keep_calling(self) -> None:
        while True:
            await self._news.wait()
            calls, self._calls = self._calls[:_MOST_AT_ONCE], self._calls[_MOST_AT_ONCE:]
            if not self._calls:
                self._news.clear()
            await self._call(calls)

    async def _call(self, calls: list[_Call]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command("EVAL", call.script, 1, call.key, *call.arguments)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, requests do not fail because of it
            answers = [error] * len(calls)
        for call, answer in zip(calls, answers, strict=True):
            if isinstance(answer, BaseException) and not any(text in str(answer) for text in _OF_ONE_KEY):
                self._fail(answer)
            if call.answer is not None and not call.answer.done():
                call.answer.set_result(None if isinstance(answer, BaseException) else answer)
        if not any(isinstance(answer, BaseException) for answer in answers) and not self._is_up:
            self._is_up = True
            _logger.info("instances share the counts of clients' limits again")

    def _fail(self, error: BaseException) -> None:
        if self._is_up:
            self._is_up = False
            self._asks_at = asyncio.get_running_loop().time() + _AGAIN_SECONDS
            kind = type(error).__name__  # its text may repeat what was sent
            _logger.warning("the Valkey server does not count for clients' limits (%s); each instance does", kind)

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._stream_ms / 1000 / _RENEWALS)
            for client, members in self._open.items():
                self._send(_Call(_RENEW, self._key("streams", client), (self._stream_ms, *members)))
