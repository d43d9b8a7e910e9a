"""`app.chat.ports.SharedLogs`, where there is no server: other instances read replies as the database has them."""

from collections.abc import Callable, Iterable

from app.chat.ports import ReplyLog


class Unshared:
    """Does nothing."""

    keeps_words = False

    def __init__(self) -> None:
        """Nobody calls it."""
        self.on_cancel: Callable[[Iterable[str]], None] = lambda _: None

    def share(self, reply_id: str, log: ReplyLog) -> None:
        """As above."""

    def follow(self, reply_id: str, log: ReplyLog) -> None:
        """As above."""

    def unfollow(self, reply_id: str) -> None:
        """As above."""

    def ask_to_cancel(self, reply_id: str) -> None:
        """The database tells, a bit later."""

    async def fence(self, _: str) -> list[str]:
        """There are no words."""
        return []

    def end_interrupted(self, reply_id: str, words: int) -> None:
        """As above."""
