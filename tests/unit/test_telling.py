"""Other instances are told which of their replies are read here: soon, and then regularly, however many there are."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from app.chat.access import EVERYBODY
from app.chat.ports import Store
from app.chat.remote import RemoteReplies
from app.chat.running import RunningReply
from app.chat.stored import ReplyRecord
from app.eventlog.memory import MemoryReplyLog
from app.eventlog.unshared import Unshared
from tests.support import virtual_time


class _Told:
    """The part of a store that is asked for here."""

    def __init__(self) -> None:
        self.at: list[float] = []

    async def note_readers(self, _: Sequence[str]) -> None:
        self.at.append(asyncio.get_running_loop().time())

    async def reply(self, *_: object) -> None:
        await asyncio.sleep(3600)


async def _told(arrivals: Sequence[float], seconds: float) -> list[float]:
    """When it is told of replies that are followed from these times on."""
    told = _Told()
    remote = RemoteReplies(cast("Store", told), 3600, Unshared())
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(remote.keep_telling())
        for number, at in enumerate(arrivals):
            await asyncio.sleep(at - loop.time())
            record = ReplyRecord(f"{number:032x}", f"{number:032x}", 0, "", 0, EVERYBODY)
            reply = RunningReply(record, MemoryReplyLog())
            reply.is_remote = True
            remote.follow(reply, tasks, lambda _: None)
        await asyncio.sleep(seconds - loop.time())
        telling.cancel()
        remote.stop()
    return told.at


def test_each_is_told_of_soon_and_again_every_two_seconds() -> None:
    """Readers that come one after the other do not add up."""
    arrivals = [0.15 * number for number in range(10)]
    at = virtual_time.run(_told(arrivals, 21.5))
    assert len([moment for moment in at if moment <= arrivals[-1] + 0.1]) == len(arrivals)
    later = [moment for moment in at if moment > arrivals[-1] + 0.1]
    assert [round(after - before, 1) for before, after in pairwise(later)] == [2.0] * 9
