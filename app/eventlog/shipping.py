"""Copies what is added to the logs of this instance's replies to the server, for readers at other instances.

All replies that have news go out together, a few dozen times a second. Nobody waits for the server: it may be slow,
full or away. Meanwhile the words stay where they are anyway, in the replies' own logs; when it is back, what it has
missed goes out in one batch a reply. The end of a reply is not kept for it: other instances find that in the database.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from time import perf_counter

from redis.asyncio import Redis

from app.chat.ports import ReplyLog
from app.chat.watching import UNMEASURED, Measures
from app.eventlog.entries import END, END_ID, WORDS, dump_end, dump_words, words_id
from app.eventlog.server import TROUBLE, WRONG_TYPE, Availability, Refused

_INTERVAL_SECONDS = 0.025
_RETRY_SECONDS = 0.5
_GRACE_SECONDS = 1.0
"""So long a leaving instance may take to tell the ends of its replies."""

RUNNING_SECONDS = 1200
"""So long after its last word the log of a running reply is kept; if it is needed later, it is made again."""
ENDED_SECONDS = 60
"""So long a log is kept after its end: only slower readers still need it, the database has the reply."""

_MOST_WORDS = 20_000
_MOST_ENTRIES = 500
_MOST_BYTES = 500_000
"""Of one call. The server does nothing else meanwhile."""

# One call for all entries: the client library needs longer for each command than for all that is in one.
_ADD = """
local refused = {}
for index, entry in ipairs(cjson.decode(ARGV[2])) do
  local name, id, field, value, seconds, creates = unpack(entry)
  local key = ARGV[1] .. name
  local added
  if creates then
    added = redis.pcall('XADD', key, 'MAXLEN', '~', 1000, id, field, value)
  else
    added = redis.pcall('XADD', key, 'NOMKSTREAM', id, field, value)
  end
  if not added then
    refused[#refused + 1] = {index, ''}
  elseif type(added) == 'table' and added.err then
    refused[#refused + 1] = {index, added.err}
  else
    redis.call('EXPIRE', key, seconds)
  end
end
return refused
"""

_THERE_ALREADY = (b"equal or smaller", b"exhausted the last possible ID")
"""In the server's errors about an id that is not larger than the last one; the second where that is the end's."""

ANY_ID = "*"
"""The next one, as the server has it."""

Entry = tuple[str, str, str, str, int, bool]
"""The key after the prefix, the entry's id, its one field with a value, the expiry of all in seconds, and whether it
may be the first one of its key."""

_logger = logging.getLogger(__name__)


class Adder:
    """Adds entries to streams, many at once."""

    def __init__(self, client: Redis, prefix: str) -> None:
        """`prefix` is that of all keys."""
        self._script = client.register_script(_ADD)
        self._prefix = prefix
        self._told = False

    async def add(self, entries: list[Entry]) -> set[int]:
        """Add them. Returns the indexes of those whose stream does not exist, and which may not be its first entry.

        One whose id is not larger than the last one's was there already. One whose key another program has spoilt is
        left out: the others must not wait for it, and other instances have the database. Raises what is in `TROUBLE`.
        """
        lost: set[int] = set()
        for index, error in await self._script(args=[self._prefix, json.dumps(entries, separators=(",", ":"))]):
            name, entry_id = entries[index - 1][:2]
            if not error:
                lost.add(index - 1)
            elif WRONG_TYPE.encode() in error:
                self._tell(name)
            elif not any(text in error for text in _THERE_ALREADY):
                raise Refused(error)
            elif entry_id == ANY_ID:
                self._tell(name)
        return lost

    def _tell(self, name: str) -> None:
        if not self._told:
            self._told = True
            key = self._prefix + name
            _logger.error(
                "another program has written to the key %s. Next: give each program a prefix of its own on the server",
                key,
            )


class _Share:
    """A reply of this instance: how much of its log the server has."""

    __slots__ = ("_shipper", "is_dirty", "is_there", "log", "reply_id", "shipped")

    def __init__(self, shipper: "Shipper", reply_id: str, log: ReplyLog) -> None:
        self.reply_id = reply_id
        self.log = log
        self.shipped = 0  # words
        self.is_there = False  # on the server
        self.is_dirty = False
        self._shipper = shipper

    def mark(self, *_: object) -> None:
        """Something has been added, or is to be shipped again."""
        if not self.is_dirty:
            self.is_dirty = True
            self._shipper.dirty.append(self)
            self._shipper.news.set()

    def entries(self) -> Iterator[tuple[Entry, int | None]]:
        """What the server lacks, each with the number of words that it then has; `None` for the end."""
        words, end = self.log.read(self.shipped, _MOST_WORDS)
        if words:
            position = self.shipped + len(words)
            text = dump_words(words)
            yield (self.reply_id, words_id(position), WORDS, text, RUNNING_SECONDS, not self.is_there), position
        if end is not None:
            creates = not self.is_there and not words
            yield (self.reply_id, END_ID, END, dump_end(end, len(self.log)), ENDED_SECONDS, creates), None


class Shipper:
    """Owns no task: `keep_shipping` is one."""

    def __init__(
        self, client: Redis, adder: Adder, availability: Availability, measures: Measures = UNMEASURED
    ) -> None:
        """`adder` adds through `client`."""
        self._measures = measures
        self.news = asyncio.Event()
        self.dirty: deque[_Share] = deque()
        self._messages: list[Entry] = []
        self._client = client
        self._adder = adder
        self._availability = availability

    def share(self, reply_id: str, log: ReplyLog) -> None:
        """Copy what is in the log, and what is added to it until its end."""
        share = _Share(self, reply_id, log)
        log.listen(share.mark)

    def post(self, entry: Entry) -> None:
        """Add a single entry with the next batch. It is lost if the server is away."""
        self._messages.append(entry)
        self.news.set()

    async def keep_shipping(self) -> None:
        """Never returns."""
        while True:
            await self.news.wait()
            self.news.clear()
            await asyncio.sleep(_INTERVAL_SECONDS)
            try:
                await self._ship_all()
            except Exception as error:  # noqa: BLE001 - the next attempt may work; replies must not notice
                if not isinstance(error, TROUBLE):
                    _logger.error("sharing replies failed: %s", type(error).__qualname__)  # noqa: TRY400
                await self._pause()

    async def finish(self) -> None:
        """Ship what is left, if the server is there."""
        with suppress(*TROUBLE):
            async with asyncio.timeout(_GRACE_SECONDS):
                await self._ship_all()

    async def _pause(self) -> None:
        self._messages.clear()
        for _ in range(len(self.dirty)):
            share = self.dirty.popleft()
            if share.log.end is None:
                self.dirty.append(share)
            else:
                share.log.unlisten(share.mark)
        with suppress(*TROUBLE):
            await self._client.connection_pool.disconnect()  # it may lead to what is only a replica by now
        await asyncio.sleep(_RETRY_SECONDS)
        if self.dirty:
            self.news.set()

    async def _ship_all(self) -> None:
        for _ in range(len(self.dirty) + 1):
            if not self.dirty and not self._messages:
                return
            await self._ship()

    async def _ship(self) -> None:
        """One call's worth of what there is."""
        entries, self._messages = self._messages, []
        changes: list[tuple[_Share, int | None] | None] = [None] * len(entries)
        size = 0
        taken: list[_Share] = []
        while self.dirty and len(entries) < _MOST_ENTRIES and size < _MOST_BYTES:
            share = self.dirty.popleft()
            taken.append(share)
            share.is_dirty = False
            for entry, position in share.entries():
                entries.append(entry)
                changes.append((share, position))
                size += len(entry[3])
        began_at = perf_counter()
        try:
            with self._availability.watched(writes=True):
                lost = await self._adder.add(entries)
        except BaseException:
            for share in taken:  # whether the server has them or not: if so, it refuses them the next time
                share.mark()
            raise
        finally:
            self._measures.logged("append", perf_counter() - began_at)
        for index, change in enumerate(changes):
            if change is not None:
                self._note(*change, is_lost=index in lost)

    def _note(self, share: _Share, position: int | None, *, is_lost: bool) -> None:
        if is_lost:
            share.shipped = 0
            share.is_there = False
            share.mark()
        elif position is None:
            share.log.unlisten(share.mark)
        else:
            share.is_there = True
            share.shipped = position
            if len(share.log) > position:  # it was more than one entry takes
                share.mark()
