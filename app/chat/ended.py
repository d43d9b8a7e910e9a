"""What becomes of a reply when its task is over: it is told, kept for reading, and saved until the store has it."""

from app.chat.errors import Draining, ReplyElsewhere
from app.chat.model import Failed
from app.chat.past import PastReplies
from app.chat.ports import Store
from app.chat.registry import Registry
from app.chat.running import RunningReply
from app.chat.unsaved import UnsavedEnds
from app.chat.watching import Measures, ReplyObserver


class EndedReplies:
    """Owns no task: `save` is called periodically."""

    def __init__(
        self, registry: Registry, past: PastReplies, store: Store, observer: ReplyObserver, measures: Measures
    ) -> None:
        """Take replies out of the `registry`; the `observer` and the `measures` are told of each."""
        self._registry = registry
        self._past = past
        self._unsaved = UnsavedEnds(store)
        self._observer = observer
        self._measures = measures

    def add(self, reply: RunningReply) -> None:
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
        self.tell(reply)

    def tell(self, reply: RunningReply) -> None:
        """Tell those who watch how it ended."""
        if (end := reply.log.end) is None:
            return
        ending = reply.ending(end)
        if isinstance(ending.error, ReplyElsewhere):
            return  # another instance was faster, and nobody has seen this one
        if ending.outcome == "abandoned":
            self._measures.cancelled("leaving")
        self._observer.ended(reply.record, ending)

    async def save(self) -> None:
        """Retry what the store did not take."""
        await self._unsaved.save()
