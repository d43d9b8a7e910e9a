"""What wakes a response that reads a reply."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from starlette.types import Message

from app.access.grants import Grant
from app.chat.access import EVERYBODY
from app.chat.model import Done
from app.chat.replies import Replies
from app.chat.running import RunningReply
from app.chat.stored import ReplyRecord
from app.chat.watching import UNMEASURED, ReaderKind
from app.eventlog.memory import MemoryReplyLog
from app.http.reader import Reader
from app.http.reading import Reading
from tests.support import virtual_time


@pytest.mark.parametrize(("kind", "woken"), [("stream", 5), ("json", 0)])
def test_words_wake_who_sends_them(kind: ReaderKind, woken: int) -> None:
    """A reply as JSON is sent when it has ended, and costs nothing until then."""

    async def read_all() -> tuple[int, list[str], Done]:
        log = MemoryReplyLog()
        reply = RunningReply(ReplyRecord("0" * 32, "1" * 32, 0, "hello", 0, EVERYBODY), log)
        replies = cast("Replies", SimpleNamespace(measures=UNMEASURED))  # nothing is released here
        read: list[str] = []
        reads = 0

        async def receive() -> Message:
            await asyncio.get_running_loop().create_future()  # nobody leaves
            raise AssertionError

        async def generate() -> None:
            for number in range(5):
                await asyncio.sleep(1)
                log.append([f"{number} "])
            await asyncio.sleep(1)
            log.close(Done("".join(f"{number} " for number in range(5)), "stop"))

        async with Reader(Reading(replies, reply, Grant(EVERYBODY), kind=kind), {}, receive, 3600) as reader:
            task = asyncio.create_task(generate())
            end = None
            while end is None:
                words, end = await reader.read()
                read += words
                reads += 1
            await task
        assert isinstance(end, Done)
        return reads - 1, read, end

    times, read, end = virtual_time.run(read_all())
    assert times == woken
    assert "".join(read) == end.text
