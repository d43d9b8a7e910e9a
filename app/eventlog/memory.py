"""A reply's events in memory: a list and its listeners.

A reader keeps a cursor and takes everything after it, so a slow reader costs no memory, and writers and readers never
block each other.
"""

from collections.abc import Sequence

from app.chat.model import Done, End, Failed
from app.chat.ports import Listener

_NO_WORDS: tuple[str, ...] = ()
_OVER = "the reply has already ended"


class MemoryReplyLog:
    """`app.chat.ports.ReplyLog`, on a list."""

    __slots__ = ("_end", "_listeners", "_words")

    def __init__(self) -> None:
        """Start empty."""
        self._words: list[str] = []
        self._end: End | None = None
        self._listeners: tuple[Listener, ...] = ()

    @property
    def end(self) -> End | None:
        """The end, once it is there."""
        return self._end

    def __len__(self) -> int:
        """How many words there are."""
        return len(self._words)

    def text(self) -> str:
        """All words so far, concatenated."""
        return "".join(self._words)

    def append(self, words: Sequence[str]) -> None:
        """Add words and tell the listeners. Words after the end are a defect, as a second end is."""
        if self._end is not None and words:
            raise RuntimeError(_OVER)
        after = len(self._words)
        self._words += words
        for tell in self._listeners:
            tell(after, words)

    def close(self, end: Done | Failed) -> None:
        """Add the end, once, and tell the listeners."""
        if self._end is not None:
            raise RuntimeError(_OVER)
        self._end = end
        for tell in self._listeners:
            tell(len(self._words), _NO_WORDS)

    def read(self, after: int, limit: int) -> tuple[Sequence[str], End | None]:
        """Up to `limit` words after the first `after`, and the end if it follows directly."""
        ready = len(self._words) - after
        if ready <= 0:
            return _NO_WORDS, self._end
        if ready <= limit:
            return self._words[after:], self._end
        return self._words[after : after + limit], None

    def listen(self, tell: Listener) -> None:
        """Call `tell` whenever something is added."""
        self._listeners = (*self._listeners, tell)

    def unlisten(self, tell: Listener) -> None:
        """Undo `listen`."""
        self._listeners = tuple(listener for listener in self._listeners if listener != tell)
