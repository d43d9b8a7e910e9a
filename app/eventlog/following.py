"""Reads what other instances share: the words of replies that are read here, and which replies are to be cancelled.

One blocking read waits for all of it. What it asks for is what each reply's own log does not have yet, so nothing can
be missed between two reads, and it does not matter how often the connection breaks.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from app.chat.model import Done, End
from app.chat.ports import ReplyLog
from app.eventlog.entries import Ended, Words, load, words_id
from app.eventlog.server import TROUBLE, WRONG_TYPE, Availability
from app.eventlog.shipping import ANY_ID, Entry, Shipper

BLOCK_SECONDS = 2.0
"""So long a read waits for something new."""

_SETTLE_SECONDS = 0.01
"""So long after a read the next one begins: entries come in groups."""
_RETRY_SECONDS = 0.5
_MOST_ENTRIES = 100
"""Of one reply in one read."""

_STREAMS = (b"stream", b"none")
"""Types of keys that can be read."""

_CANCELLATIONS = "cancellations"
_REPLY = b"r"
_MESSAGE_SECONDS = 60

Entries = list[tuple[bytes, dict[bytes, bytes]]]
"""Of a stream: ids and fields."""

_logger = logging.getLogger(__name__)


class Follower:
    """Owns no task: `keep_following` is one."""

    def __init__(self, client: Redis, prefix: str, shipper: Shipper, availability: Availability) -> None:
        """`client` waits for an answer for longer than `BLOCK_SECONDS`."""
        self._client = client
        self._prefix = prefix
        self._shipper = shipper
        self._availability = availability
        self._followed: dict[str, ReplyLog] = {}
        self._gaps: dict[str, int] = {}
        """How many words those replies have whose next ones the server does not have."""
        self._wake_name = f"wake:{secrets.token_hex(8)}"
        self._last = {_CANCELLATIONS: "0-0", self._wake_name: "0-0"}

    def follow(self, reply_id: str, log: ReplyLog) -> None:
        """Add to `log` what it lacks, until its end."""
        self._followed[reply_id] = log
        self._shipper.post(_message(self._wake_name, reply_id))

    def unfollow(self, reply_id: str) -> None:
        """Stop it."""
        self._followed.pop(reply_id, None)
        self._gaps.pop(reply_id, None)

    def ask_to_cancel(self, reply_id: str) -> None:
        """Tell all instances; whichever generates the reply acts on it."""
        self._shipper.post(_message(_CANCELLATIONS, reply_id))

    async def keep_following(self, on_cancel: Callable[[Iterable[str]], None]) -> None:
        """Never returns. `on_cancel` is called with the ids of replies, of any instance, that are to be cancelled."""
        while True:
            try:
                wanted = self._wanted()
                with self._availability.watched():
                    found = await self._read(wanted)
                for key, entries in found:
                    name = key.decode().removeprefix(self._prefix)
                    self._take(name, wanted[name], entries, on_cancel)
                if found:
                    await asyncio.sleep(_SETTLE_SECONDS)
            except Exception as error:  # noqa: BLE001 - the next attempt may work
                if not isinstance(error, TROUBLE):
                    _logger.error("following replies failed: %s", type(error).__qualname__)  # noqa: TRY400
                await asyncio.sleep(_RETRY_SECONDS)

    def _wanted(self) -> dict[str, str]:
        """The streams to read, each with the id of the last entry that is known."""
        wanted = dict(self._last)
        for reply_id, log in self._followed.items():
            if log.end is None and self._gaps.get(reply_id) != len(log):
                wanted[reply_id] = words_id(len(log))
        return wanted

    async def _read(self, wanted: dict[str, str]) -> list[tuple[bytes, Entries]]:
        streams: Any = {self._prefix + name: last for name, last in wanted.items()}
        try:
            found: Any = await self._client.xread(streams, count=_MOST_ENTRIES, block=int(BLOCK_SECONDS * 1000))
        except ResponseError as error:
            if not str(error).startswith(WRONG_TYPE):
                raise
            # The server refuses all of it because of one key that another program has written.
            pipeline = self._client.pipeline(transaction=False)
            for key in streams:
                pipeline.execute_command("TYPE", key)
            types = await pipeline.execute()
            streams = {key: last for (key, last), kind in zip(streams.items(), types, strict=True) if kind in _STREAMS}
            found = await self._client.xread(streams, count=_MOST_ENTRIES, block=int(BLOCK_SECONDS * 1000))
        return found or []

    def _take(self, name: str, after: str, entries: Entries, on_cancel: Callable[[Iterable[str]], None]) -> None:
        """Use what came after the id `after`."""
        if name in self._last:
            self._last[name] = entries[-1][0].decode()
            if name == _CANCELLATIONS:
                on_cancel([fields[_REPLY].decode() for _, fields in entries if _REPLY in fields])
        elif (log := self._followed.get(name)) is not None:
            _add(log, entries)
            # If it was of no use, the next read from there would find the same. Else the reply has been followed anew
            # meanwhile, with another log.
            if log.end is None and after == words_id(len(log)):
                self._gaps[name] = len(log)  # until the database has more


def _add(log: ReplyLog, entries: Entries) -> None:
    """Add to the log what is new and has no gap before it."""
    before = len(log)
    added: list[str] = []
    end: End | None = None
    for entry_id, fields in entries:
        content = load(entry_id, fields)
        position = before + len(added)
        if isinstance(content, Words) and (words := content.after(position)) is not None:
            added += words
        elif isinstance(content, Ended) and content.words == position:
            end = content.end
            break
        elif content is not None:
            break
    if log.end is not None:
        return
    if added:
        log.append(added)
    if isinstance(end, Done):
        end = Done(log.text(), end.finish_reason, end.usage, end.omitted_messages)
    if end is not None:
        log.close(end)


def _message(name: str, reply_id: str) -> Entry:
    return name, ANY_ID, _REPLY.decode(), reply_id, _MESSAGE_SECONDS, True
