"""The memory that metrics are counted in: a number for each series, in a block for each process.

Several processes of one machine share it, so any of them, or their parent, can add up what all have counted, and what a
process has counted survives its death: its successor goes on with the same block. The memory has no name, so nothing is
left behind. Each process writes into its own block only, and a number is eight bytes that are written at once, so there
are no locks.
"""

import mmap
import os
import tempfile
from collections.abc import Sequence
from itertools import accumulate

from app.telemetry.table import Family

_NUMBER_BYTES = 8


class Cells:
    """The blocks of all processes."""

    def __init__(self, families: Sequence[Family], processes: int, process: int, descriptor: int | None) -> None:
        """This one is `process`, from 0; `descriptor` is that of `shared_memory`, if there are several."""
        self.families = families
        self._size = sum(family.size for family in families)
        self._processes = processes
        size = self._size * processes * _NUMBER_BYTES
        self._memory = mmap.mmap(-1 if descriptor is None else descriptor, size)
        self._numbers = memoryview(self._memory).cast("d")
        self._words = memoryview(self._memory).cast("Q")
        ends = accumulate(family.size for family in families)
        self._first = {family.name: end - family.size for family, end in zip(families, ends, strict=True)}
        self.is_shared = descriptor is not None
        begin = process * self._size
        self.own = self._numbers[begin : begin + self._size]
        """This process's block."""
        self.own_words = self._words[begin : begin + self._size]
        """The same as integers."""

    def place(self, name: str, values: tuple[str, ...] = ()) -> int:
        """Where a series begins in a block."""
        family = next(family for family in self.families if family.name == name)
        return self._first[name] + family.series.index(values) * family.width

    def exemplars(self, name: str, values: tuple[str, ...]) -> tuple[tuple[float, ...], int]:
        """The bounds of a histogram, and where the exemplars of its buckets begin in a block."""
        bounds = next(family for family in self.families if family.name == name).bounds
        return bounds, self.place(name, values) + 1 + len(bounds) + 1

    def series(self, family: Family, values: tuple[str, ...]) -> list[Sequence[float]]:
        """The numbers of a series, of each process."""
        begin = self.place(family.name, values)
        return [self._numbers[at : at + family.width].tolist() for at in self._places(begin)]

    def words(self, family: Family, values: tuple[str, ...]) -> list[Sequence[int]]:
        """The same as integers."""
        begin = self.place(family.name, values)
        return [self._words[at : at + family.width].tolist() for at in self._places(begin)]

    def forget_present(self, process: int) -> None:
        """A process has ended: what it had at the moment is over, what it has counted stays."""
        for family in self.families:
            if family.kind not in {"counter", "histogram"}:
                begin = process * self._size + self._first[family.name]
                for at in range(begin, begin + family.size):
                    self._numbers[at] = 0

    def _places(self, begin: int) -> range:
        return range(begin, self._size * self._processes, self._size)


def shared_memory(families: Sequence[Family], processes: int) -> int:
    """A file descriptor of memory for so many processes, all zero."""
    with tempfile.TemporaryFile() as file:
        file.truncate(sum(family.size for family in families) * processes * _NUMBER_BYTES)
        return os.dup(file.fileno())
