"""Replies that another instance generates, as far as the store has them: read there while somebody reads them here.

The instance that generates a reply shares its words, if there is a server for that, and saves its progress every few
seconds. Both end up in a log like any other, once per reply however many readers it has: what is shared comes at once;
the store is polled as often as it changes, whenever nothing has come by itself.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from app.chat.access import Principal
from app.chat.errors import ReplyElsewhere, StorageUnavailable
from app.chat.model import Done, Failed
from app.chat.past import end_of, words_of
from app.chat.ports import SharedLogs, Store
from app.chat.running import RunningReply

_TELL_SECONDS = 2.0
"""So often other instances are told which of their replies are read here,"""
_TELL_AT_ONCE_SECONDS = 0.1
"""and at most so often when somebody begins to read one."""
_FIRST_POLL_SECONDS = 0.03
_CANCEL_POLL_SECONDS = 0.25

_logger = logging.getLogger(__name__)


class RemoteReplies:
    """Follows replies of other instances. Its tasks end when the last reader has left."""

    def __init__(self, store: Store, interval_seconds: float, shared: SharedLogs) -> None:
        """Read from `shared` what comes, and poll `store` every `interval_seconds`."""
        self._store = store
        self._shared = shared
        self._interval_seconds = interval_seconds
        self._followed: dict[str, RunningReply] = {}
        self._is_over = False
        self._news = asyncio.Event()  # somebody has begun to read, or it is time to say again who does

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
        if self._is_over:
            reply.log.close(Failed(ReplyElsewhere()))
            return reply
        self._followed[reply.reply_id] = reply
        self._shared.follow(reply.reply_id, reply.log)
        self._news.set()

        def ended(_: "asyncio.Task[None]") -> None:
            if self._followed.get(reply.reply_id) is reply:
                self._forget(reply)
            reply.task = None
            on_end(reply)

        reply.task = tasks.create_task(self._keep_reading(reply))
        reply.task.add_done_callback(ended)
        return reply

    def unfollow(self, reply: RunningReply) -> None:
        """The last reader has left. One that comes from now on follows the reply anew."""
        if reply.task is not None and reply.reply_id in self._followed:
            self._forget(reply)
            reply.task.cancel()

    def stop(self) -> None:
        """Follow nothing any more, as this instance ends. The replies go on where they are generated.

        To their readers here that is `ReplyElsewhere`, an end of the reading only.
        """
        self._is_over = True
        for reply in list(self._followed.values()):
            if reply.log.end is None:
                reply.log.close(Failed(ReplyElsewhere()))
            self.unfollow(reply)

    async def keep_telling(self) -> None:
        """Let other instances know which of their replies are read here. Never returns."""
        next_time: asyncio.TimerHandle | None = None
        while True:
            await self._news.wait()
            self._news.clear()
            running = [reply.reply_id for reply in self._followed.values() if reply.log.end is None]
            if running:
                try:
                    await self._store.note_readers(running)
                except Exception as error:  # noqa: BLE001 - what cannot be told now can be told next time
                    if not isinstance(error, StorageUnavailable):
                        _logger.error("telling of readers failed: %s", type(error).__qualname__)  # noqa: TRY400
                if next_time is not None:  # news have come before it
                    next_time.cancel()
                next_time = asyncio.get_running_loop().call_later(_TELL_SECONDS, self._news.set)
            await asyncio.sleep(_TELL_AT_ONCE_SECONDS)

    async def cancel(self, reply_id: str, principal: Principal, patience_seconds: float) -> None:
        """Have the instance that generates the reply cancel it, and wait until it has.

        Raises `ReplyElsewhere` if it does not in time, and `StorageUnavailable`.
        """
        await self._store.request_cancellation(reply_id, principal)
        self._shared.ask_to_cancel(reply_id)
        pause = _FIRST_POLL_SECONDS
        try:
            async with asyncio.timeout(patience_seconds):
                while (found := await self._store.reply(reply_id, principal)) is not None:
                    if found[1].state != "running":
                        return
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _CANCEL_POLL_SECONDS)
        except TimeoutError:
            raise ReplyElsewhere from None

    def _forget(self, reply: RunningReply) -> None:
        del self._followed[reply.reply_id]
        self._shared.unfollow(reply.reply_id)

    async def _keep_reading(self, reply: RunningReply) -> None:
        log = reply.log
        over = asyncio.Event()

        def look(*_: object) -> None:
            if log.end is not None:
                over.set()

        log.listen(look)
        look()  # it may have come before this task began
        while not over.is_set():
            known = len(log)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_seconds):
                    await over.wait()
            if len(log) > known or over.is_set():
                continue  # what is shared comes by itself
            try:
                await self._read(reply)
            except Exception as error:  # noqa: BLE001 - what cannot be read now may be readable next time
                if not isinstance(error, StorageUnavailable):
                    _logger.error("following a reply failed: %s", type(error).__qualname__)  # noqa: TRY400

    async def _read(self, reply: RunningReply) -> None:
        found = await self._store.reply(reply.reply_id, reply.record.principal)
        if reply.log.end is not None:
            return  # it has come meanwhile
        if found is None:  # its conversation has been deleted, which cancels it
            reply.log.close(Done(reply.log.text(), "cancelled", reply.record.usage))
            return
        message = found[1]
        reply.record.usage = message.usage
        if words := words_of(message.text)[len(reply.log) :]:
            reply.log.append(words)
        if message.state != "running":
            reply.log.close(end_of(message))
