"""A reply's log, in memory and over a Valkey server: the same tests for both.

It is append-only; a reader is only the number of words that it has read. In memory, readers have the maker's own log;
over a server, each of two other instances has one that follows it.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import anyio
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.errors import BotFailed, ReplyInterrupted
from app.chat.model import Done, End, Failed, Usage
from app.chat.ports import ReplyLog
from app.eventlog.memory import MemoryReplyLog
from app.eventlog.server import valkey_url
from app.eventlog.valkey import ValkeyLogs
from tests.support.laws import costly
from tests.support.valkey import Valkey

_PATIENCE_SECONDS = 30.0
_PREFIX = "chat:"

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply's logs."""

    reply_id: str
    made: ReplyLog
    """Of the instance that generates it."""
    read: Sequence[ReplyLog]
    """Where it is read."""


class _Memory:
    """One process."""

    def reply(self) -> _Reply:
        """A new one."""
        log = MemoryReplyLog()
        return _Reply("", log, [log, log])

    def made_again(self, reply: _Reply) -> ReplyLog:
        """The log that a maker has who does not know of the end."""
        return reply.made

    def end_again(self, reply: _Reply) -> None:
        """Somebody takes the maker for dead."""
        reply.made.close(Failed(ReplyInterrupted()))

    async def lose(self) -> None:
        """There is nothing that could be lost without the process."""


class _Server:
    """Three instances: one makes replies, and two read them."""

    def __init__(self, server: Valkey, maker: ValkeyLogs, readers: Sequence[ValkeyLogs]) -> None:
        self._server = server
        self._maker = maker
        self._readers = readers

    def reply(self) -> _Reply:
        """A new one."""
        reply = _Reply(f"{next(_numbers):032x}", MemoryReplyLog(), [MemoryReplyLog() for _ in self._readers])
        self._maker.share(reply.reply_id, reply.made)
        for reader, log in zip(self._readers, reply.read, strict=True):
            reader.follow(reply.reply_id, log)
        return reply

    def made_again(self, reply: _Reply) -> ReplyLog:
        """As above: one that stood still, perhaps."""
        log = MemoryReplyLog()
        log.append(reply.made.read(0, len(reply.made))[0])
        self._readers[0].share(reply.reply_id, log)
        return log

    def end_again(self, reply: _Reply) -> None:
        """As above."""
        self._readers[0].end_interrupted(reply.reply_id, len(reply.made))

    async def lose(self) -> None:
        """The server has nothing any more."""
        await anyio.to_thread.run_sync(self._server.run, "FLUSHALL")


_Logs = _Memory | _Server


@pytest.fixture(scope="module", params=["memory", "Valkey"])
async def logs(request: pytest.FixtureRequest) -> AsyncGenerator[_Logs, None]:
    """Where replies are kept."""
    if request.param == "memory":
        yield _Memory()
        return
    with Valkey() as server:
        async with AsyncExitStack() as stack:
            instances = [ValkeyLogs(valkey_url(server.url), _PREFIX) for _ in range(3)]
            for instance in instances:
                await stack.enter_async_context(instance)
            yield _Server(server, instances[0], instances[1:])


async def _read(log: ReplyLog, after: int = 0, limit: int = 100) -> tuple[list[str], End]:
    """What follows the first `after` words, and the end; like a stream's reader."""
    words: list[str] = []
    news = asyncio.Event()

    def tell(*_: object) -> None:
        news.set()

    log.listen(tell)
    try:
        with anyio.fail_after(_PATIENCE_SECONDS):
            while True:
                news.clear()
                more, end = log.read(after + len(words), limit)
                assert len(more) <= limit
                words += more
                if end is not None:
                    return words, end
                if not more:
                    await news.wait()
    finally:
        log.unlisten(tell)


async def _has(log: ReplyLog, words: int, *, ended: bool = False) -> None:
    with anyio.fail_after(_PATIENCE_SECONDS):
        while len(log) < words or (log.end is not None) < ended:
            await anyio.sleep(0.005)


_WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
_BATCHES = st.lists(st.lists(_WORDS, max_size=4), max_size=6)


@costly(4)
@given(_BATCHES, st.integers(0, 30), st.integers(1, 30))
async def test_a_reader_gets_what_follows_its_position_and_the_end_last(
    logs: _Logs, batches: list[list[str]], after: int, limit: int
) -> None:
    """Whatever the batches in which words are added, before the end as well as after it."""
    reply = logs.reply()
    for batch in batches:
        reply.made.append(batch)
        await anyio.lowlevel.checkpoint()
    words = [word for batch in batches for word in batch]
    for log in reply.read:
        await _has(log, len(words))
        assert log.text() == "".join(words)
        assert log.read(after, limit) == (words[after : after + limit], None) or not words[after:]
    end = Done("".join(words), "stop", Usage(1, len(words)), 2)
    reply.made.close(end)
    for log in reply.read:
        await _has(log, len(words), ended=True)
        read, found = log.read(after, limit)
        assert list(read) == words[after : after + limit]
        assert found == (end if after + limit >= len(words) else None)
        assert await _read(log, after, limit) == (words[after:], end)


async def test_a_waiting_reader_gets_each_word_as_it_comes(logs: _Logs) -> None:
    """None waits for the end."""
    reply = logs.reply()
    for n in range(1, 6):
        reply.made.append([f"word{n} "])
        for log in reply.read:
            await _has(log, n)
            assert log.end is None
    reply.made.close(Done(reply.made.text(), "length"))
    for log in reply.read:
        assert await _read(log) == ([f"word{n} " for n in range(1, 6)], Done(reply.made.text(), "length"))


async def test_a_failure_is_told_as_it_is(logs: _Logs) -> None:
    """With how long to wait, which the failed engine may have said; also where there is no word."""
    reply = logs.reply()
    reply.made.close(Failed(BotFailed(retry_after_seconds=7)))
    for log in reply.read:
        words, end = await _read(log)
        assert words == []
        assert isinstance(end, Failed)
        assert (end.error.code, end.error.retry_after_seconds) == ("bot-failed", 7)


async def test_every_listener_is_woken_by_words_and_by_the_end_until_it_stops_listening(logs: _Logs) -> None:
    """Then it is not called any more."""
    reply = logs.reply()
    log = reply.read[0]
    woken: list[str] = []
    first, second = (lambda *_: woken.append("first")), (lambda *_: woken.append("second"))
    log.listen(first)
    log.listen(second)
    reply.made.append(["a"])
    await _has(log, 1)
    log.unlisten(first)
    reply.made.close(Failed(BotFailed()))
    await _has(log, 1, ended=True)
    assert woken == ["first", "second", "second"]


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_a_reply_ends_once(logs: _Logs, count: int, caplog: pytest.LogCaptureFixture) -> None:
    """The first end is the reply's, whoever else ends it. A second one of its maker is a defect, and is noticed."""
    reply = logs.reply()
    reply.made.append(["so "] * count)
    end = Done("so " * count, "stop")
    reply.made.close(end)
    for log in reply.read:
        await _has(log, count, ended=True)
    with suppress(RuntimeError):
        logs.end_again(reply)
    with pytest.raises(RuntimeError):
        reply.made.close(Failed(BotFailed()))
    await _others_go_on(logs)
    for log in reply.read:
        assert await _read(log) == (["so "] * count, end)
    assert caplog.messages == []


async def test_no_word_comes_after_the_end(logs: _Logs, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever adds it does not know that the reply has ended. Nobody else's replies notice."""
    reply = logs.reply()
    reply.made.append(["so ", "it "])
    for log in reply.read:
        await _has(log, 2)
    late = logs.made_again(reply)
    reply.made.close(Done("so it ", "cancelled"))
    for log in reply.read:
        await _has(log, 2, ended=True)
    with suppress(RuntimeError):
        late.append(["goes "])
    await _others_go_on(logs)
    for log in reply.read:
        assert await _read(log) == (["so ", "it "], Done("so it ", "cancelled"))
    assert caplog.messages == []


async def _others_go_on(logs: _Logs) -> None:
    """What comes later than all that was sent before."""
    reply = logs.reply()
    reply.made.append(["so "])
    reply.made.close(Done("so ", "stop"))
    for log in reply.read:
        assert await _read(log) == (["so "], Done("so ", "stop"))


async def test_a_cursor_beyond_the_end_finds_the_end(logs: _Logs) -> None:
    """Whether such a cursor may be is for others to say."""
    reply = logs.reply()
    reply.made.append(["so "])
    for log in reply.read:
        assert log.read(9, 1) == ((), None)
    reply.made.close(Done("so ", "stop"))
    for log in reply.read:
        assert await _read(log, after=9) == ([], Done("so ", "stop"))


async def test_what_is_forgotten_is_read_nevertheless(logs: _Logs) -> None:
    """What keeps words for other instances may lose them at any time: they are added again, and none twice."""
    reply = logs.reply()
    for n in range(1, 4):
        reply.made.append([f"word{n} "])
        await _has(reply.read[0], n)
        await logs.lose()
    reply.made.close(Done(reply.made.text(), "stop"))
    for log in reply.read:
        assert await _read(log) == (["word1 ", "word2 ", "word3 "], Done(reply.made.text(), "stop"))


async def test_many_readers_each_have_their_own_position(logs: _Logs) -> None:
    """A slow one delays none, and one that is cancelled while it waits leaves nothing behind."""
    reply = logs.reply()
    words = [f"word{n} " for n in range(200)]
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(_read(reply.read[n % 2], after=n % 7, limit=1 + n % 5)) for n in range(50)]
        leaving = [group.create_task(_read(reply.read[n % 2])) for n in range(10)]
        for start in range(0, len(words), 20):
            reply.made.append(words[start : start + 20])
            await anyio.sleep(0.002)
        for task in leaving:
            task.cancel()
        await asyncio.wait(leaving)
        reply.made.close(Done("".join(words), "stop"))
    assert all(task.cancelled() for task in leaving)
    for n, task in enumerate(reading):
        assert task.result() == (words[n % 7 :], Done("".join(words), "stop"))
    for log in reply.read:
        assert isinstance(log, MemoryReplyLog)
        assert log._listeners == () or log is reply.made  # noqa: SLF001 - there is no other way to see it
