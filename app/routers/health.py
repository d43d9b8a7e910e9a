"""Is the process up, and can it take work?"""

from dataclasses import dataclass

from app.chat.errors import Draining
from app.chat.model import Store
from app.chat.replies import Replies
from generated.models import Health, Readiness


@dataclass(frozen=True, slots=True)
class HealthRouter:
    """`getHealth` and `getReadiness`."""

    replies: Replies
    store: Store

    async def get_health(self) -> Health:
        """The process answers."""
        return Health()

    async def get_readiness(self) -> Readiness:
        """New replies are taken, and the database answers."""
        if not self.replies.accepting:
            raise Draining
        await self.store.check()
        return Readiness()
