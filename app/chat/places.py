"""Finds where a text has the words of a query: in it as it was written, not as it is compared."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import regex

from app.chat.terms import beginnings, folded
from app.chat.titles import GRAPHEME

_PIECE = regex.compile(r"\X{1,64}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text has the beginning of a term."""

    start: int
    end: int
    wanted: int
    """Which of those that were looked for."""


def count_of(text: str, wanted: Sequence[str]) -> int:
    """How many of these beginnings of terms a text has, as `query_of` gives them."""
    compared = folded(text)
    return sum(next(beginnings(compared, word), None) is not None for word in wanted)


def places_of(text: str, wanted: Sequence[str], most: int) -> list[Place]:
    """Where a text has them, in order; of each the first `most`."""
    known = _Folded(text)
    places = [
        Place(known.before(start), known.after(start + len(word)), index)
        for index, word in enumerate(wanted)
        for start in islice(beginnings(known.text, word), most)
    ]
    return sorted(places, key=lambda place: (place.start, place.wanted))


class _Folded:
    """A folded text, and where its characters come from."""

    def __init__(self, text: str) -> None:
        """Pieces are folded by themselves, and only those are looked into that are asked for."""
        self._pieces: list[str] = [text] if text.isascii() else _PIECE.findall(text)
        self._origins: list[int] = []  # where each piece begins in the text
        self._starts: list[int] = []  # and in the folded one
        self._inside: dict[int, list[tuple[int, int]]] = {}
        parts: list[str] = []
        origin = start = 0
        for piece in self._pieces:
            self._origins.append(origin)
            self._starts.append(start)
            parts.append(folded(piece))
            origin += len(piece)
            start += len(parts[-1])
        self.text = "".join(parts)

    def before(self, place: int) -> int:
        """Where the character begins that this one of the folded text comes from."""
        return self._origin(place)[0]

    def after(self, place: int) -> int:
        """Where the one ends that is before this place."""
        return self._origin(place - 1)[1]

    def _origin(self, place: int) -> tuple[int, int]:
        number = bisect_right(self._starts, place) - 1
        if self._pieces[number].isascii():
            start = self._origins[number] + place - self._starts[number]
            return start, start + 1
        if number not in self._inside:
            self._inside[number] = self._looked_into(number)
        return self._inside[number][place - self._starts[number]]

    def _looked_into(self, number: int) -> list[tuple[int, int]]:
        origin = self._origins[number]
        return [
            (origin + grapheme.start(), origin + grapheme.end())
            for grapheme in GRAPHEME.finditer(self._pieces[number])
            for _ in folded(grapheme[0])
        ]
