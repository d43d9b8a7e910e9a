"""The branches of a conversation: a tree of messages, of which one path is shown and told to the bot.

A message has a position, which counts from 0 in the order in which messages were stored. It follows the message at the
position before, unless it begins a branch: then it is stored which one it follows. So a conversation without branches
needs nothing, and a path through the tree is a few ranges of positions. Users' messages have even positions, replies
odd ones; a reply that was generated anew takes the positions of a whole turn, and leaves that of the message empty.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

ROOT = -1
"""What the first message of a conversation follows, and each edited version of it."""


@dataclass(frozen=True, slots=True)
class Branches:
    """The tree of one conversation. All methods take and return positions."""

    newest: int
    """The position of the message that was stored last; `ROOT` if there is none."""
    follows: Mapping[int, int] = field(default_factory=dict)
    """For each message that begins a branch, the one that it follows."""
    _starts: list[int] = field(init=False, repr=False, compare=False)
    _begun: dict[int, list[int]] = field(init=False, repr=False, compare=False)
    """The branches that begin behind each message."""

    def __post_init__(self) -> None:
        """Sort once what is searched often."""
        object.__setattr__(self, "_starts", sorted(self.follows))
        object.__setattr__(self, "_begun", {})
        for start in self._starts:
            self._begun.setdefault(self.follows[start], []).append(start)

    def parent(self, position: int) -> int:
        """The message that this one follows."""
        return self.follows.get(position, position - 1)

    def path(self, leaf: int) -> list[range]:
        """The messages from the first one to this one, as ranges without gaps, in their order."""
        runs: list[range] = []
        while leaf > ROOT:
            start = self._start(leaf)
            runs.append(range(start, leaf + 1))
            leaf = self.parent(start)
        return runs[::-1]

    def leaf(self, position: int) -> int:
        """The newest of the messages that follow this one, directly or not; this one if there is none."""
        own = self._start(position)
        newest = self._end(own)
        below = {own}
        for start in self._starts[bisect_right(self._starts, position) :]:
            parent = self.follows[start]
            run = self._start(parent)
            if run in below and parent >= position:
                below.add(start)
                newest = self._end(start)
        return newest

    def newest_replies(self, siblings: Sequence[int]) -> dict[int, int]:
        """A reply for each sibling: itself, or the reply to the message behind which the newest message is."""
        if siblings[0] % 2:
            return {position: position for position in siblings}
        found = {position: position + 1 for position in siblings}
        behind = {self._start(position): (position, position + 1) for position in siblings}
        for start in self._starts[bisect_right(self._starts, siblings[0]) :]:
            parent = self.follows[start]
            message, reply = behind.get(self._start(parent), (parent + 1, ROOT))
            if parent < message:
                continue  # it is behind none of them
            behind[start] = message, start if parent == message else reply
            found[message] = behind[start][1]
        return found

    def siblings(self, position: int) -> list[int]:
        """The messages that follow the same one as this, in the order of their positions; it is one of them."""
        return self.children(self.parent(position))

    def children(self, position: int) -> list[int]:
        """The messages that follow this one, in the order of their positions."""
        own = [position + 1] if self._has(position + 1) else []
        return [*own, *self._begun.get(position, ())]

    def _has(self, position: int) -> bool:
        """Whether a message is at this position, and follows the one before."""
        return position <= self.newest and position not in self.follows and not self._is_empty(position)

    def _is_empty(self, position: int) -> bool:
        """Whether nothing is there, because the reply behind it was generated anew."""
        return position % 2 == 0 and position + 1 in self.follows

    def _start(self, position: int) -> int:
        """The first message of the run that this one belongs to."""
        index = bisect_right(self._starts, position)
        return self._starts[index - 1] if index else 0

    def _end(self, start: int) -> int:
        """The last message of a run."""
        index = bisect_right(self._starts, start)
        if index == len(self._starts):
            return self.newest
        end = self._starts[index] - 1
        return end - 1 if self._is_empty(end) else end


def last(path: list[range], count: int) -> list[int]:
    """The last positions of a path, up to `count` of them, in their order."""
    return page(path, None, count, newest_first=True)[::-1]


def page(path: list[range], cursor: int | None, count: int, *, newest_first: bool) -> list[int]:
    """Up to `count` positions of a path, in either order: from the cursor on, or from the beginning."""
    if cursor is None:
        parts = path
    elif newest_first:
        parts = [range(run.start, min(run.stop, cursor + 1)) for run in path]
    else:
        parts = [range(max(run.start, cursor), run.stop) for run in path]
    if newest_first:
        parts = [run[::-1] for run in reversed(parts)]
    return list(islice(chain.from_iterable(parts), count))
