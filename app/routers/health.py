"""Liveness and readiness: is the process up, and can it take work?"""

from dataclasses import dataclass

from app.chat.errors import BotUnavailable, Draining
from app.chat.ports import Bot, Store
from app.chat.replies import Replies
from generated.models import Health, Readiness


@dataclass(frozen=True, slots=True)
class HealthRouter:
    """`getHealth` and `getReadiness`."""

    replies: Replies
    store: Store
    bot: Bot

    async def get_health(self) -> Health:
        """The process is up."""
        return Health()

    async def get_readiness(self) -> Readiness:
        """The service accepts new replies, and the bot and the database are available."""
        if not self.replies.accepting:
            raise Draining
        if not getattr(self.bot, "is_ready", True):
            raise BotUnavailable
        await self.store.check()
        return Readiness()
