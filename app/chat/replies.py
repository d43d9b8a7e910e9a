"""All replies of this process: starts and drains them, and attaches readers.

A reply does not live inside its HTTP response, which may end at any time. A task owned by the application's lifespan
generates it into a log; readers come and go. If no reader returns within the resume window after the last one has left,
the task is cancelled, and the bot with it.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import nullcontext, suppress
from types import TracebackType
from typing import Self

from app.chat.access import Principal
from app.chat.beginning import Beginning
from app.chat.bounds import Bounds
from app.chat.earlier import EarlierReplies
from app.chat.ended import EndedReplies
from app.chat.errors import ConversationBusy, Draining, ReplyElsewhere, ReplyNotFound, TooManyStreams
from app.chat.known import KnownReplies
from app.chat.past import PastReplies
from app.chat.peers import Peers
from app.chat.ports import Bot, Meter, ReplyLog, SharedLogs, Store
from app.chat.pulse import Pulse
from app.chat.registry import Registry
from app.chat.remote import RemoteReplies
from app.chat.requests import ReplyRequest, UnstoredRequest
from app.chat.running import RunningReply
from app.chat.stopping import Cancellations, Deletions
from app.chat.unstored import UnstoredReplies
from app.chat.watching import UNMEASURED, UNOBSERVED, Attachment, Measures, ReplyObserver

_ATTEMPTS = 3
"""To begin a reply, when other requests in the same conversation are faster, or are to be cancelled."""

_logger = logging.getLogger(__name__)


class Replies:
    """An async context manager that owns the tasks generating replies."""

    def __init__(  # noqa: PLR0913 - the parts that it puts together
        self,
        bot: Bot,
        bounds: Bounds,
        store: Store,
        *,
        new_log: Callable[[], ReplyLog],
        shared: SharedLogs,
        observer: ReplyObserver = UNOBSERVED,
        measures: Measures = UNMEASURED,
    ) -> None:
        """`new_log` creates the log of one reply; `shared` has those of other instances."""
        self.accepting = False
        self._bounds = bounds
        self._store = store
        self.measures = measures
        self._registry = Registry(measures)
        self._past = PastReplies(store, new_log, bounds.retention_seconds)
        self._earlier = EarlierReplies(self._registry, self._past, store)
        self._ended = EndedReplies(self._registry, self._past, store, observer, measures)
        self._pulse = Pulse(bounds.lease_seconds)
        self._beginning = Beginning(
            bot,
            bounds,
            store,
            new_log=new_log,
            shared=shared,
            registry=self._registry,
            pulse=self._pulse,
            observer=observer,
            admit=self._refuse_if_full,
        )
        self._remote = RemoteReplies(store, bounds.save_every_seconds, shared)
        self._unstored = UnstoredReplies(
            bot, bounds, new_log=new_log, registry=self._registry, observer=observer, on_end=self._ended.tell
        )
        self.known = KnownReplies(self._registry, self._past, self._remote, store)
        self.cancellations = Cancellations(self.known, self._remote, measures)
        self.deletions = Deletions(
            self._registry, self._past, store, shared, self.cancellations, is_shared=bounds.is_shared
        )
        self.peers = Peers(self._registry, store, shared, measures)
        self._tasks: asyncio.TaskGroup
        self._helpers: list[asyncio.Task[None]]
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> Self:
        """Start accepting requests."""
        self._loop = asyncio.get_running_loop()  # cached: each call asks the operating system for the process id
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._pulse.beat()
        work = (
            self._keep_saving(),
            self.peers.keep_recovering(),
            self._remote.keep_telling(),
            self._pulse.keep_beating(self.peers.suspend),
        )
        self._helpers = [self._tasks.create_task(each) for each in work]
        self.accepting = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the replies that are still running, and wait for them."""
        self.accepting = False
        for helper in self._helpers:
            helper.cancel()
        self._remote.stop()
        self._stop_all()
        await self._tasks.__aexit__(kind, error, trace)
        await self._ended.save()  # what the store has not taken so far

    async def start(self, request: ReplyRequest, meter: Meter | None = None) -> RunningReply:
        """Start a reply, or attach to the one that an earlier attempt at the same request started.

        The caller becomes a reader and must call `leave`. The `meter` applies only to a reply that is started here.

        Raises `Draining`, `TooManyStreams`, `ConversationNotFound`, `ConversationBusy`, `IdempotencyKeyReused`,
        `StorageUnavailable`, `ReplyElsewhere` if other instances are faster again and again, and what the meter raises.
        """
        key = request.idempotency.key if request.idempotency else None
        async with self._earlier.seeking(key) if key else nullcontext():
            for _ in range(_ATTEMPTS - 1):
                try:
                    return await self._start(request, key, meter)
                except ReplyElsewhere:
                    pass  # another instance was faster: now there is something to attach to, or to refuse
                except ConversationBusy as busy:
                    if key and await self._earlier.is_found(request, key, busy.reply_id):
                        continue  # the same request, at another instance
                    if not request.cancels_running:
                        raise
                    with suppress(ReplyNotFound):
                        await self.cancellations.cancel(busy.reply_id, request.principal, by="message")
            return await self._start(request, key, meter)

    async def answer(self, request: UnstoredRequest, meter: Meter | None = None) -> RunningReply:
        """Start a reply that is not stored, or attach to the one that the same request started a moment ago.

        The caller becomes a reader and must call `leave`. Raises `Draining`, `TooManyStreams`, `IdempotencyKeyReused`
        and what the meter raises.
        """
        reply = self._unstored.earlier(request)
        if reply is None:
            await self._admit(meter)
            reply = self._unstored.earlier(request)  # the same request was faster
        if reply is None:
            reply = self._unstored.begin(request, self._tasks)
            _charge(meter, reply)
        else:
            self.measures.attached("key")
        return self._attach(reply)

    async def open(
        self, reply_id: str, principal: Principal, after: int = 0, by: Attachment | None = None
    ) -> RunningReply:
        """Attach to a principal's reply, live or stored, after its first `after` words. The caller must call `leave`.

        `by` is how the reply was found; by default, the caller has read some of it and resumes.
        One that another instance generates is followed as that saves it. Raises `ReplyNotFound`, `CursorAhead`,
        `CursorExpired`, `TooManyStreams` and `StorageUnavailable`.
        """
        is_here = self.known.find(reply_id, principal) is not None
        if not is_here and len(self._registry) >= self._bounds.open_streams:
            raise TooManyStreams
        reply = await self.look(reply_id, principal, after)
        if by is not None:
            self.measures.attached(by)
        else:
            self.measures.resumed("instance" if reply.is_remote else "memory" if is_here else "storage")
        if reply.is_remote and reply.log.end is None:
            reply = self._remote.follow(reply, self._tasks, self._registry.discard_if_over)
        return self._attach(reply)

    async def look(self, reply_id: str, principal: Principal, after: int = 0) -> RunningReply:
        """The reply that `open` would attach to. The caller does not become a reader, so it does not keep it running.

        Raises what `open` raises, except `TooManyStreams`.
        """
        reply = await self.known.read(reply_id, principal)
        reply.check_cursor(after)
        return reply

    def leave(self, reply: RunningReply) -> None:
        """Remove a reader. After the last one, the reply stops unless a reader returns in time."""
        reply.readers -= 1
        if reply.readers == 0:
            if reply.log.end is not None:
                self._registry.discard_if_over(reply)
            elif reply.is_remote:
                self._remote.unfollow(reply)
            elif reply.unread_seconds:
                reply.wait_for_reader(self._loop)
            else:
                reply.stop("abandoned")

    async def drain(self, seconds: float) -> None:
        """Refuse new replies, give running ones `seconds` to finish, then end the rest with `Draining`.

        Readers of other instances' replies stay as long as one of this instance has to finish; then they resume
        elsewhere.
        """
        self.accepting = False
        try:
            async with asyncio.timeout(seconds):
                await self._registry.settled()
        except TimeoutError:
            self._stop_all()
        self._remote.stop()

    def _stop_all(self) -> None:
        for reply in self._registry.all_running:
            reply.stop(Draining())

    async def _start(self, request: ReplyRequest, key: str | None, meter: Meter | None) -> RunningReply:
        earlier = await self._earlier.find(request, key) if key else None
        if earlier is not None and not earlier.has_failed:
            return await self.open(earlier.reply_id, request.principal, by="key")
        await self._admit(meter)
        if earlier is not None:
            self._past.forget(earlier.reply_id)
        reply = await self._beginning.begin(request, earlier, self._tasks, self._ended.add)
        _charge(meter, reply)
        return self._attach(reply)

    async def _admit(self, meter: Meter | None) -> None:
        """Return if another reply may be started."""
        if meter is not None:
            await meter.allow()
        self._refuse_if_full()

    def _refuse_if_full(self) -> None:
        if not self.accepting:
            raise Draining
        if len(self._registry) >= self._bounds.open_streams:
            raise TooManyStreams

    def _attach(self, reply: RunningReply) -> RunningReply:
        self._registry.attach(reply)
        return reply

    async def _keep_saving(self) -> None:
        """Periodically save the progress of running replies, retry failed saves, and drop old replies from memory."""
        while True:
            await asyncio.sleep(self._bounds.save_every_seconds)
            await self._save_and_forget()

    async def _save_and_forget(self) -> None:
        """A separate frame, so that its locals do not keep replies alive during the sleep."""
        try:
            for reply in self._registry.running:
                reply.save_progress(self._store)
            await self._ended.save()
            self._past.forget_old()
            self._unstored.forget_old()
        except Exception as problem:  # noqa: BLE001 - it would end every reply that is running
            _logger.error("the progress of replies was not saved: %s", type(problem).__qualname__)  # noqa: TRY400


def _charge(meter: Meter | None, reply: RunningReply) -> None:
    """Charge for the reply at its end."""
    if meter is not None and reply.task is not None:
        reply.task.add_done_callback(lambda _: meter.charge(len(reply.log)))
