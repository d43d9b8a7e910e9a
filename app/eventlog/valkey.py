"""`app.chat.ports.SharedLogs`, on a Valkey or Redis server."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from app.chat.errors import ReplyInterrupted
from app.chat.model import Failed
from app.chat.ports import ReplyLog
from app.chat.watching import UNMEASURED, Measures
from app.eventlog.entries import END, END_ID, FENCE, FENCE_ID, Words, dump_end, load
from app.eventlog.following import BLOCK_SECONDS, Follower
from app.eventlog.server import TROUBLE, Availability, ValkeyServer, check
from app.eventlog.shipping import ENDED_SECONDS, Adder, Entry, Shipper

_SLACK_SECONDS = 2.0


class ValkeyLogs:
    """Connections and tasks of this instance. An async context manager."""

    keeps_words = True

    def __init__(self, server: ValkeyServer, prefix: str, measures: Measures = UNMEASURED) -> None:
        """All keys begin with `prefix`."""
        self._measures = measures
        self._server = server
        self._prefix = prefix
        self._client = server.client()
        self._reader = server.client(BLOCK_SECONDS + _SLACK_SECONDS)
        self._adder = Adder(self._client, prefix)
        availability = Availability(server, measures)
        self._shipper = Shipper(self._client, self._adder, availability, measures)
        self.on_cancel: Callable[[Iterable[str]], None] = lambda _: None
        self._follower = Follower(self._reader, prefix, self._shipper, availability)
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begin. Raises `Misconfigured` if the server refuses us."""
        async with AsyncExitStack() as exits:
            exits.push_async_callback(self._client.aclose)
            exits.push_async_callback(self._reader.aclose)
            exits.push_async_callback(self._client.connection_pool.disconnect)
            exits.push_async_callback(self._reader.connection_pool.disconnect)
            await check(self._client, self._server)
            tasks = [
                asyncio.create_task(self._shipper.keep_shipping()),
                asyncio.create_task(self._follower.keep_following(self.on_cancel)),
            ]

            async def stop() -> None:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._shipper.finish()

            exits.push_async_callback(stop)
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ship what is left, and disconnect."""
        await self._exits.aclose()

    def share(self, reply_id: str, log: ReplyLog) -> None:
        """Let other instances read the log of a reply, until its end."""
        self._shipper.share(reply_id, log)

    def follow(self, reply_id: str, log: ReplyLog) -> None:
        """Add to `log` what another instance shares of the reply, until its end."""
        self._follower.follow(reply_id, log)

    def unfollow(self, reply_id: str) -> None:
        """Undo `follow`."""
        self._follower.unfollow(reply_id)

    def ask_to_cancel(self, reply_id: str) -> None:
        """Tell the instance that generates the reply, if the server is there."""
        self._follower.ask_to_cancel(reply_id)

    async def fence(self, reply_id: str) -> list[str]:
        """Let nobody add words to a dead instance's reply any more. Returns those that are there, or none."""
        began_at = perf_counter()
        try:
            await self._adder.add([_last(reply_id, FENCE_ID, FENCE, "")])
            entries: Any = await self._client.xrange(self._prefix + reply_id)
        except TROUBLE:
            return []
        finally:
            self._measures.logged("recover", perf_counter() - began_at)
        words: list[str] = []
        for entry_id, fields in entries:
            content = load(entry_id, fields)
            new = content.after(len(words)) if isinstance(content, Words) else ()
            if new is None:
                return []  # the beginning is lost
            words += new
        return words

    def end_interrupted(self, reply_id: str, words: int) -> None:
        """Tell readers elsewhere that a dead instance's reply is interrupted after so many words."""
        self._shipper.post(_last(reply_id, END_ID, END, dump_end(Failed(ReplyInterrupted()), words)))


def _last(reply_id: str, entry_id: str, name: str, value: str) -> Entry:
    return reply_id, entry_id, name, value, ENDED_SECONDS, True
