"""All replies of this process: starts, finds, cancels and drains them, and attaches readers.

A reply does not live inside its HTTP response, which may end at any time. A task owned by the application's lifespan
generates it into a log; readers come and go. If no reader returns within the resume window after the last one has left,
the task is cancelled, and the bot with it.
"""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext, suppress
from types import TracebackType
from typing import Self

from app.chat.access import Principal
from app.chat.beginning import Beginning
from app.chat.bounds import Bounds
from app.chat.earlier import EarlierReplies
from app.chat.errors import ConversationBusy, Draining, ReplyElsewhere, ReplyNotFound, TooManyStreams
from app.chat.model import Failed, ReplyRequest, Snapshot, UnstoredRequest
from app.chat.past import PastReplies
from app.chat.peers import Peers
from app.chat.ports import Bot, Meter, ReplyLog, SharedLogs, Store
from app.chat.pulse import Pulse
from app.chat.registry import Registry
from app.chat.remote import RemoteReplies
from app.chat.running import RunningReply
from app.chat.unsaved import UnsavedEnds
from app.chat.unstored import UnstoredReplies
from app.chat.watching import UNMEASURED, UNOBSERVED, Attachment, Canceller, Measures, ReplyObserver

_CANCEL_SECONDS = 10.0
"""How long to wait for a cancelled reply: a bot may ignore its cancellation, and the store may be slow."""
_CANCEL_ELSEWHERE_SECONDS = 5.0
"""The same for a reply of another instance, which looks every two seconds."""

_ATTEMPTS = 3
"""To begin a reply, when other requests in the same conversation are faster, or are to be cancelled."""


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
        self._observer = observer
        self.measures = measures
        self._registry = Registry(measures)
        self._past = PastReplies(store, new_log, bounds.retention_seconds)
        self._earlier = EarlierReplies(self._registry, self._past, store)
        self._shared = shared
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
        )
        self._remote = RemoteReplies(store, bounds.save_every_seconds, shared)
        self.peers = Peers(self._registry, store, shared, measures)
        self._unsaved = UnsavedEnds(store)
        self._unstored = UnstoredReplies(
            bot, bounds, new_log=new_log, registry=self._registry, observer=observer, on_end=self._observe_end
        )
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
                    if key and await self._is_for(request, key, busy.reply_id):
                        continue  # the same request, at another instance
                    if not request.cancels_running:
                        raise
                    with suppress(ReplyNotFound):
                        await self.cancel(busy.reply_id, request.principal, by="message")
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
        is_here = self._find(reply_id, principal) is not None
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
        reply = self._find(reply_id, principal) or await self._past.read_back(reply_id, principal)
        reply.check_cursor(after)
        return reply

    async def running_in(self, conversation_id: str, principal: Principal) -> str | None:
        """The id of the reply that runs in a principal's conversation, at any instance. Raises `StorageUnavailable`."""
        if (reply := self._registry.running_in(conversation_id, principal)) is not None:
            return reply.reply_id
        return next(iter(await self._store.running(principal, conversation_id)), None)

    async def snapshot(self, reply_id: str, principal: Principal) -> Snapshot:
        """The current state of a principal's reply. Raises `ReplyNotFound` and `StorageUnavailable`."""
        reply = self._find(reply_id, principal)
        return await self._past.snapshot(reply_id, principal) if reply is None else reply.snapshot()

    async def cancel(self, reply_id: str, principal: Principal, by: Canceller = "client") -> None:
        """Stop a principal's reply and wait for its end; does nothing if it has ended.

        Raises `ReplyNotFound`, `StorageUnavailable`, and `ReplyElsewhere` if the instance that generates it does not
        cancel it in time.
        """
        reply = self._find(reply_id, principal) or await self._past.read_back(reply_id, principal)
        if not reply.is_remote:
            await self._cancelled(reply, by)
        elif reply.log.end is None:
            await self._remote.cancel(reply_id, principal, _CANCEL_ELSEWHERE_SECONDS)

    async def delete_conversation(self, conversation_id: str, principal: Principal) -> None:
        """Stop the reply running in a principal's conversation, and delete the conversation.

        Raises `ConversationNotFound` and `StorageUnavailable`.
        """
        await self._silence(conversation_id, principal)
        await self._silence_elsewhere(principal, conversation_id)
        for reply_id in await self._store.delete(conversation_id, principal):
            self._shared.ask_to_cancel(reply_id)
        await self._silence(conversation_id, principal, is_deleted=True)
        self._past.forget_conversations([conversation_id])

    async def delete_conversations(self, principal: Principal) -> None:
        """Delete all conversations of a principal, and stop the replies running in them.

        Raises `StorageUnavailable`; some may have been deleted then.
        """
        theirs = [reply for reply in self._registry.running if reply.record.principal == principal]
        await asyncio.gather(*(self._cancelled(reply, "deletion") for reply in theirs))
        await self._silence_elsewhere(principal)
        while True:
            deleted, running = await self._store.delete_some(principal)
            if not deleted:
                return
            for reply_id in running:
                self._shared.ask_to_cancel(reply_id)
            for conversation_id in deleted:
                await self._silence(conversation_id, principal, is_deleted=True)
            self._past.forget_conversations(frozenset(deleted))

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
        reply = await self._beginning.begin(request, earlier, self._tasks, self._ended)
        _charge(meter, reply)
        return self._attach(reply)

    async def _admit(self, meter: Meter | None) -> None:
        """Return if another reply may be started."""
        if meter is not None:
            await meter.allow()
        if not self.accepting:
            raise Draining
        if len(self._registry) >= self._bounds.open_streams:
            raise TooManyStreams

    async def _is_for(self, request: ReplyRequest, key: str, reply_id: str) -> bool:
        """Whether the reply answers this request, with this key."""
        earlier = await self._earlier.find(request, key)
        return earlier is not None and earlier.reply_id == reply_id

    def _attach(self, reply: RunningReply) -> RunningReply:
        self._registry.attach(reply)
        return reply

    def _find(self, reply_id: str, principal: Principal) -> RunningReply | None:
        """A principal's reply in memory; another principal's is `None`, as if it did not exist."""
        reply = self._registry.with_id(reply_id) or self._past.find(reply_id) or self._remote.find(reply_id)
        return reply if reply is not None and reply.record.principal == principal else None

    async def _silence(self, conversation_id: str, principal: Principal, *, is_deleted: bool = False) -> None:
        """Stop the reply that runs in a conversation. If that `is_deleted`, it has started in the meantime.

        Then it may have begun another conversation, which has the same id because it has the same alias: it goes on.
        """
        reply = self._registry.running_in(conversation_id, principal)
        if reply is None or (is_deleted and reply.record.alias is not None and reply.record.position == 0):
            return
        await self._cancelled(reply, "deletion")

    async def _silence_elsewhere(self, principal: Principal, conversation_id: str | None = None) -> None:
        """Stop what other instances generate, which would tell of it for a moment after it has been deleted here.

        One that does not stop in time, because it is dead perhaps, finds later that there is nothing to store it in.
        """

        async def stop(reply_id: str) -> None:
            with suppress(ReplyNotFound, ReplyElsewhere):
                await self.cancel(reply_id, principal)

        if self._bounds.is_shared:
            await asyncio.gather(*map(stop, await self._store.running(principal, conversation_id)))

    async def _cancelled(self, reply: RunningReply, by: Canceller) -> None:
        if reply.task is not None:
            if reply.stop("cancelled"):
                self.measures.cancelled(by)
            await asyncio.wait([reply.task], timeout=_CANCEL_SECONDS)

    def _ended(self, reply: RunningReply) -> None:
        """Clean up after the task."""
        reply.forget_timers()
        self._registry.end(reply)
        if reply.log.end is None:  # the event loop is shutting down
            reply.log.close(Failed(Draining()))
        elif reply.stored:
            self._past.remember(reply)
        else:
            self._unsaved.keep(reply)
        reply.task = None
        self._registry.discard_if_over(reply)
        self._observe_end(reply)

    def _observe_end(self, reply: RunningReply) -> None:
        if (end := reply.log.end) is None:
            return
        ending = reply.ending(end)
        if isinstance(ending.error, ReplyElsewhere):
            return  # another instance was faster, and nobody has seen this one
        if ending.outcome == "abandoned":
            self.measures.cancelled("leaving")
        self._observer.ended(reply.record, ending)

    async def _keep_saving(self) -> None:
        """Periodically save the progress of running replies, retry failed saves, and drop old replies from memory."""
        while True:
            await asyncio.sleep(self._bounds.save_every_seconds)
            await self._save_and_forget()

    async def _save_and_forget(self) -> None:
        """A separate frame, so that its locals do not keep replies alive during the sleep."""
        for reply in self._registry.running:
            reply.save_progress(self._store)
        await self._unsaved.save()
        self._past.forget_old()
        self._unstored.forget_old()


def _charge(meter: Meter | None, reply: RunningReply) -> None:
    """Charge for the reply at its end."""
    if meter is not None and reply.task is not None:
        reply.task.add_done_callback(lambda _: meter.charge(len(reply.log)))
