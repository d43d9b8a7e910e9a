"""Replies that another instance generates, as far as the store has them: read there while somebody reads them here.

The instance that generates a reply saves its progress every few seconds. Here it is polled at the same interval, once
per reply however many readers it has, into a log like any other.
"""

import asyncio
import logging
from collections.abc import Callable

from app.chat.access import Principal
from app.chat.errors import ReplyElsewhere, ReplyInterrupted, StorageUnavailable
from app.chat.model import Failed
from app.chat.past import end_of, words_of
from app.chat.ports import Store
from app.chat.running import RunningReply

_CANCEL_POLL_SECONDS = 0.25

_logger = logging.getLogger(__name__)


class RemoteReplies:
    """Follows replies of other instances. Its tasks end when the last reader has left."""

    def __init__(self, store: Store, interval_seconds: float) -> None:
        """Poll `store` every `interval_seconds`."""
        self._store = store
        self._interval_seconds = interval_seconds
        self._followed: dict[str, RunningReply] = {}

    def find(self, reply_id: str) -> RunningReply | None:
        """The reply with this id that is followed already, whoever owns it."""
        return self._followed.get(reply_id)

    def follow(
        self, reply: RunningReply, tasks: asyncio.TaskGroup, on_end: Callable[[RunningReply], None]
    ) -> RunningReply:
        """Keep the log of a reply up to date that has just been read from the store; `on_end` is called after its end.

        Returns the reply to read: another one if it is followed already.
        """
        if (followed := self._followed.get(reply.reply_id)) is not None:
            return followed
        self._followed[reply.reply_id] = reply

        def ended(_: "asyncio.Task[None]") -> None:
            if self._followed.get(reply.reply_id) is reply:
                del self._followed[reply.reply_id]
            reply.task = None
            on_end(reply)

        reply.task = tasks.create_task(self._keep_reading(reply))
        reply.task.add_done_callback(ended)
        return reply

    def unfollow(self, reply: RunningReply) -> None:
        """The last reader has left. One that comes from now on follows the reply anew."""
        if reply.task is not None and self._followed.pop(reply.reply_id, None) is not None:
            reply.task.cancel()

    def stop(self) -> None:
        """Follow nothing any more. The replies themselves go on where they are generated."""
        for reply in list(self._followed.values()):
            self.unfollow(reply)

    async def cancel(self, reply_id: str, principal: Principal, patience_seconds: float) -> None:
        """Have the instance that generates the reply cancel it, and wait until it has.

        Raises `ReplyElsewhere` if it does not in time, and `StorageUnavailable`.
        """
        await self._store.request_cancellation(reply_id, principal)
        try:
            async with asyncio.timeout(patience_seconds):
                while (found := await self._store.reply(reply_id, principal)) is not None:
                    if found[1].state != "running":
                        return
                    await asyncio.sleep(_CANCEL_POLL_SECONDS)
        except TimeoutError:
            raise ReplyElsewhere from None

    async def _keep_reading(self, reply: RunningReply) -> None:
        while reply.log.end is None:
            await asyncio.sleep(self._interval_seconds)
            try:
                await self._read(reply)
            except ReplyInterrupted as error:
                reply.log.close(Failed(error))
            except Exception as error:  # noqa: BLE001 - what cannot be read now may be readable next time
                if not isinstance(error, StorageUnavailable):
                    _logger.error("following a reply failed: %s", type(error).__qualname__)  # noqa: TRY400

    async def _read(self, reply: RunningReply) -> None:
        found = await self._store.reply(reply.reply_id, reply.record.principal)
        if found is None:
            raise ReplyInterrupted  # its conversation has been deleted
        message = found[1]
        reply.record.usage = message.usage
        if words := words_of(message.text)[len(reply.log) :]:
            reply.log.append(words)
        if message.state != "running":
            reply.log.close(end_of(message))
