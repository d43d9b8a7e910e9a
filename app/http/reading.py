"""What a response reads: a reply, for whom, and from which word on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.access.grants import Grant
from app.chat.replies import Replies
from app.chat.running import RunningReply
from app.chat.watching import ReaderKind

Frame = Callable[[str, int, Sequence[str]], bytes]
"""Makes the events of the words that follow the first so many; the string is what all events of a response share.

A function that is there once, and a string: with many streams, each object that a word needs costs as much as what is
done with it, because it has long left the processor's cache.
"""


class ClientGone(Exception):
    """The client closed the connection."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A reader of a reply: its grant of access, and how many words it has received."""

    replies: Replies
    reply: RunningReply
    grant: Grant
    after: int = 0
    kind: ReaderKind = "stream"

    def leave(self) -> None:
        """Release the reader."""
        self.replies.leave(self.reply)
