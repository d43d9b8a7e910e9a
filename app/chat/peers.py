"""What instances that share a store do to each other's replies: end them, and recover what a dead one had shared."""

import asyncio
import logging
from collections.abc import Iterable

from app.chat.errors import ReplyInterrupted, StorageUnavailable
from app.chat.ports import SharedLogs, Store
from app.chat.registry import Registry
from app.chat.watching import Measures

_AT_ONCE = 4
"""So many replies are recovered at the same time. Each needs a connection to the store."""
_RETRY_SECONDS = 0.5
"""After a failure. Until then it runs, as one of this instance's."""

_logger = logging.getLogger(__name__)


class Peers:
    """Acts on the running replies of this instance, and on those of dead ones. `keep_recovering` is its only task."""

    def __init__(self, registry: Registry, store: Store, shared: SharedLogs, measures: Measures) -> None:
        """`registry` has the replies that are generated here."""
        self._measures = measures
        self._registry = registry
        self._store = store
        self._shared = shared
        self._is_suspended = False
        self.recovers = shared.keeps_words
        self._dead: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def cancel_all(self, reply_ids: Iterable[str]) -> None:
        """Cancel those of these replies that are generated here: clients have asked other instances to."""
        for reply_id in reply_ids:
            if (reply := self._registry.with_id(reply_id)) is not None and reply.stop("cancelled"):
                self._measures.cancelled("instance")

    def interrupt(self) -> None:
        """End what runs: another instance has taken this one for dead, and told readers that it is interrupted."""
        for reply in self._registry.running:
            reply.stop(ReplyInterrupted())

    def suspend(self) -> None:
        """This process stood still for so long that others may have taken it for dead: hold back what it generates."""
        self._is_suspended = True
        for reply in self._registry.running:
            reply.suspend()

    def confirm(self) -> None:
        """This instance lives, as others see it."""
        if self._is_suspended:
            self._is_suspended = False
            for reply in self._registry.running:
                if reply.verdict is None:
                    reply.resume()

    def keep_all(self, reply_ids: Iterable[str]) -> None:
        """These replies are read at other instances: the resume window begins anew for those that nobody reads here."""
        for reply_id in reply_ids:
            if (reply := self._registry.with_id(reply_id)) is not None and reply.leaving is not None:
                reply.leaving.cancel()
                reply.wait_for_reader(asyncio.get_running_loop())

    def recover(self, reply_ids: Iterable[str], heir: str) -> None:
        """End these replies of a dead instance, which run on as the heir's: store what it had shared; tell readers."""
        for reply_id in reply_ids:
            self._dead.put_nowait((reply_id, heir))

    async def keep_recovering(self) -> None:
        """Never returns."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._recover_one_after_another())

    async def _recover_one_after_another(self) -> None:
        while True:
            reply_id, heir = await self._dead.get()
            with_words = True
            while True:
                try:
                    await self._recover(reply_id, heir, with_words=with_words)
                    break
                except StorageUnavailable:
                    pass
                except Exception as error:  # noqa: BLE001 - at least its end, with what it had saved
                    with_words = False
                    _logger.error("recovering a reply failed: %s", type(error).__qualname__)  # noqa: TRY400
                await asyncio.sleep(_RETRY_SECONDS)

    async def _recover(self, reply_id: str, heir: str, *, with_words: bool) -> None:
        if await self._store.is_left_to(heir, reply_id):
            words = await self._shared.fence(reply_id) if with_words else []
            await self._store.end_interrupted(reply_id, words)
            self._shared.end_interrupted(reply_id, len(words))
