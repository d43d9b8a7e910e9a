"""A reply's events in this process's memory: a list, and whom to wake.

A reader keeps a cursor and takes all that is ready behind it, so a slow reader costs nothing but its cursor, and
neither writer nor reader ever waits for the other.
"""

from collections.abc import Callable, Sequence

from app.chat.model import Done, End, Failed

_NO_WORDS: tuple[str, ...] = ()


class MemoryReplyLog:
    """`app.chat.model.ReplyLog`, on a list."""

    __slots__ = ("_end", "_listeners", "_words")

    def __init__(self) -> None:
        """Start empty."""
        self._words: list[str] = []
        self._end: End | None = None
        self._listeners: list[Callable[[], None]] = []

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
        """Add words and wake the listeners."""
        self._words += words
        for notify in self._listeners:
            notify()

    def close(self, end: Done | Failed) -> None:
        """Add the end, once, and wake the listeners."""
        if self._end is not None:
            msg = "a reply ends once"
            raise RuntimeError(msg)
        self._end = end
        for notify in self._listeners:
            notify()

    def read(self, after: int, limit: int) -> tuple[Sequence[str], End | None]:
        """Up to `limit` words that follow the first `after`, and the end if nothing but the end follows those."""
        ready = len(self._words) - after
        if ready <= 0:
            return _NO_WORDS, self._end
        if ready <= limit:
            return self._words[after:], self._end
        return self._words[after : after + limit], None

    def listen(self, notify: Callable[[], None]) -> None:
        """Call `notify` whenever something was added."""
        self._listeners.append(notify)

    def unlisten(self, notify: Callable[[], None]) -> None:
        """Undo `listen`."""
        self._listeners.remove(notify)
