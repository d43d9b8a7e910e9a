"""Logs that are shared over a Valkey server, without a database: who reads what, and whom a strange key concerns."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from app.chat.model import Done, Failed
from app.eventlog.memory import MemoryReplyLog
from app.eventlog.server import Availability, Refused, valkey_url
from app.eventlog.valkey import ValkeyLogs
from tests.support.valkey import Valkey, sharing

_PATIENCE_SECONDS = 30.0
_PREFIX = "chat:"
_REPLY = "0" * 32
_OTHER = "1" * 32

_STRANGE = {
    "a string in a reply's place": ("SET", _PREFIX + _REPLY, "x"),
    "a string in the place of cancellations": ("SET", _PREFIX + "cancellations", "x"),
    "cancellations without an end": ("XADD", _PREFIX + "cancellations", f"{2**64 - 1}-{2**64 - 1}", "r", "x"),
    "no JSON": ("XADD", _PREFIX + _REPLY, "9-0", "w", "}"),
    "no list": ("XADD", _PREFIX + _REPLY, "9-0", "w", "9"),
    "no words": ("XADD", _PREFIX + _REPLY, "9-0", "w", "[9]"),
    "an end without words": ("XADD", _PREFIX + _REPLY, "9-0", "e", "{}"),
    "an end that is no object": ("XADD", _PREFIX + _REPLY, "9-0", "e", "[]"),
    "neither words nor an end": ("XADD", _PREFIX + _REPLY, "9-0", "x", "x"),
}


@dataclass(frozen=True, slots=True)
class _Two:
    server: Valkey
    maker: ValkeyLogs
    reader: ValkeyLogs

    async def command(self, *words: str) -> None:
        """Run one on the server."""
        await anyio.to_thread.run_sync(self.server.run, *words)


@asynccontextmanager
async def _two() -> AsyncIterator[_Two]:
    with Valkey() as server:
        where = valkey_url(server.url)
        async with ValkeyLogs(where, _PREFIX) as maker, ValkeyLogs(where, _PREFIX) as reader:
            yield _Two(server, maker, reader)


async def _has(log: MemoryReplyLog, count: int) -> None:
    with anyio.fail_after(_PATIENCE_SECONDS):
        while len(log) < count:
            await anyio.sleep(0.01)


class _Watched(MemoryReplyLog):
    """Tells when an exchange about it with the server is about to begin."""

    def __init__(self) -> None:
        super().__init__()
        self.begins = anyio.Event()

    @property
    def end(self) -> Done | Failed | None:
        """Looked at before each read."""
        self.begins.set()
        return super().end

    def read(self, after: int, limit: int) -> tuple[Sequence[str], Done | Failed | None]:
        """Before something is added."""
        self.begins.set()
        return super().read(after, limit)


@pytest.mark.parametrize("what", ["share", "follow"])
async def test_an_instance_can_leave_at_any_moment_of_an_exchange(what: str) -> None:
    """In Python 3.11, a task may not notice that it is cancelled when it has just sent something."""
    where = valkey_url(str(sharing()["valkey_url"]))
    for steps in range(12):
        log = _Watched()
        with anyio.fail_after(_PATIENCE_SECONDS):
            async with ValkeyLogs(where, f"{_PREFIX}{what}:") as logs:
                getattr(logs, what)(_REPLY, log)
                log.append(["so "])
                await log.begins.wait()
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()


async def test_who_recovers_replies_can_stop_at_any_moment_of_an_exchange() -> None:
    """For the same reason."""
    where = valkey_url(str(sharing()["valkey_url"]))
    async with ValkeyLogs(where, f"{_PREFIX}fence:") as logs:
        for steps in range(12):
            begins = anyio.Event()

            async def recover(begins: anyio.Event = begins) -> None:
                while True:
                    begins.set()
                    await logs.fence(_REPLY)

            task = asyncio.create_task(recover())
            await begins.wait()
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=_PATIENCE_SECONDS)
            assert done, steps


async def test_a_reply_that_is_followed_anew_has_no_gap() -> None:
    """What comes for the earlier log, which had more words, says nothing about the new one."""
    async with _two() as two:
        made, log, anew = MemoryReplyLog(), MemoryReplyLog(), MemoryReplyLog()
        two.maker.share(_REPLY, made)
        made.append(["so ", "it ", "goes "])
        two.reader.follow(_REPLY, log)
        await _has(log, 3)
        await anyio.sleep(0.1)  # the next read begins, and waits for the fourth word
        two.reader.unfollow(_REPLY)
        two.reader.follow(_REPLY, anew)
        two.server.run("XADD", _PREFIX + _REPLY, "4-0", "w", '["on "]')  # before the reader asks for something else
        await _has(anew, 4)
        assert anew.text() == "so it goes on "


@pytest.mark.parametrize("strange", _STRANGE)
async def test_what_another_program_has_written_concerns_no_other_reply(strange: str) -> None:
    """Neither when it is read nor when it is written to."""
    async with _two() as two:
        logs = {_REPLY: MemoryReplyLog(), _OTHER: MemoryReplyLog()}
        followed = {_REPLY: MemoryReplyLog(), _OTHER: MemoryReplyLog()}
        await two.command(*_STRANGE[strange])
        for reply_id, log in logs.items():
            two.maker.share(reply_id, log)
            two.reader.follow(reply_id, followed[reply_id])
        for count in range(1, 30):
            for log in logs.values():
                log.append(["so "])
            await _has(followed[_OTHER], count)
        two.reader.ask_to_cancel(_OTHER)
        logs[_OTHER].close(Done("so " * 29, "stop"))
        with anyio.fail_after(_PATIENCE_SECONDS):
            while followed[_OTHER].end is None:
                await anyio.sleep(0.01)
        assert followed[_OTHER].text() == logs[_OTHER].text()


@pytest.mark.parametrize("strange", [("w", "}"), ("w", "[9]"), ("e", "{}"), ("e", "[" * 20_000), ("x", "x")])
async def test_what_cannot_be_read_is_skipped(strange: tuple[str, str]) -> None:
    """By whoever reads, and by whoever recovers what a dead instance has left."""
    async with _two() as two:
        log = MemoryReplyLog()
        for entry_id, field, value in (
            ("2-0", "w", '["so ","it "]'),
            ("3-0", *strange),
            ("4-0", "w", '["goes ","on "]'),
        ):
            await two.command("XADD", _PREFIX + _REPLY, entry_id, field, value)
        two.reader.follow(_REPLY, log)
        await _has(log, 4)
        assert log.text() == "so it goes on "
        assert await two.reader.fence(_REPLY) == ["so ", "it ", "goes ", "on "]


async def test_a_key_that_is_in_the_way_may_go() -> None:
    """The reply is shared from then on."""
    async with _two() as two:
        made, log = MemoryReplyLog(), MemoryReplyLog()
        await two.command("SET", _PREFIX + _REPLY, "x")
        two.maker.share(_REPLY, made)
        two.reader.follow(_REPLY, log)
        made.append(["so "])
        await anyio.sleep(0.1)
        await two.command("DEL", _PREFIX + _REPLY)
        made.append(["it "])
        await _has(log, 2)


def test_a_server_that_refuses_writes_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """That it can be read meanwhile is no sign that it can be used again."""
    caplog.set_level(logging.INFO, "app.eventlog.server")
    availability = Availability(valkey_url("redis://host"))
    for _ in range(3):
        with pytest.raises(Refused), availability.watched(writes=True):
            raise Refused(b"OOM command not allowed")
        with availability.watched():
            pass
    assert caplog.messages == ["host:6379 cannot be used: OOM"]
    with availability.watched(writes=True):
        pass
    with pytest.raises(OSError, match="gone"), availability.watched():
        raise OSError("gone")
    with availability.watched():
        pass
    again = "host:6379 can be used again"
    assert caplog.messages[1:] == [again, "host:6379 cannot be used: OSError", again]
