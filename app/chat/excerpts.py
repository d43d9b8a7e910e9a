"""Excerpts: the part of a message that shows where a search has found its words."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.chat.places import Place, count_of, places_of
from app.chat.titles import GRAPHEME, on_one_line, without_marks

EXCERPT_LENGTH = 160
"""In code points."""

_BEFORE = 40
"""So many characters before the first word help to understand it."""
_AROUND = 300
"""So many are read on each side: marks and white space make a text longer than what is shown of it."""
_TOGETHER = EXCERPT_LENGTH - _BEFORE - 20
"""Words that are no further from each other are shown together."""
_MOST_PLACES = 300
"""So many of each word are considered in one message."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Text on one line, and where in it the words are, from their first character to after their last one."""

    text: str
    matches: tuple[tuple[int, int], ...]


class LatestMatch:
    """Looks for the message that has most of the words, among messages that come one by one, the latest first."""

    def __init__(self, wanted: Sequence[str]) -> None:
        """`wanted` are beginnings of terms, as `query_of` gives them."""
        self._wanted = wanted
        self._text = ""
        self._found = 0

    @property
    def is_best(self) -> bool:
        """Whether no earlier message can have more of them."""
        return self._found == len(self._wanted)

    def look(self, text: str) -> None:
        """At an earlier message."""
        found = count_of(text, self._wanted)
        if found > self._found:
            self._text, self._found = text, found

    def excerpt(self) -> Excerpt | None:
        """Of that message, if there is one."""
        return excerpt_of(self._text, self._wanted) if self._found else None


def excerpt_of(text: str, wanted: Sequence[str]) -> Excerpt | None:
    """Where a text first has as many of these words as it has anywhere together; nothing if it has none."""
    best = _best(text, wanted)
    if best is None:
        return None
    start, end = max(0, best.start - _AROUND), best.start + _AROUND
    if start:  # behind the word that is cut there, if that is one
        start = next((place + 1 for place in range(start, start + _BEFORE) if text[place].isspace()), start)
    part = text[start:end]
    # A word may be where no text of a mark is, as in a link's address.
    for line in (on_one_line(without_marks(part)), on_one_line(part)):
        first = _best(line, wanted)
        if first is not None:
            shown = _cut(line, first.start, is_begun=start > 0, goes_on=end < len(text))
            matches = _joined(places_of(shown, wanted, EXCERPT_LENGTH))
            return Excerpt(shown, matches) if matches else None
    return None


def _best(text: str, wanted: Sequence[str]) -> Place | None:
    """The first place that has most of the words after it that can be shown together with it."""
    places = places_of(text, wanted, _MOST_PLACES)
    starts = [place.start for place in places]
    best, most = None, 0
    for number, place in enumerate(places):
        together = places[number : bisect_left(starts, place.start + _TOGETHER)]
        count = len({one.wanted for one in together})
        if count > most:
            best, most = place, count
        if count == len(wanted):
            break
    return best


def _cut(line: str, first: int, *, is_begun: bool, goes_on: bool) -> str:
    """A part of a line with what is at `first` in it: cut between words, or else between characters."""
    room = EXCERPT_LENGTH - 2  # for what tells that there is more
    start = min(max(0, first - _BEFORE), max(0, len(line) - room))
    if start:
        blank = line.find(" ", start - 1, first)
        start = blank + 1 if blank >= 0 else _boundary(line, start)
    end = start + room
    if end < len(line):
        blank = line.rfind(" ", first + 1, end + 1)
        end = blank if blank > end - _BEFORE else _boundary(line, end)
    end = min(end, len(line))
    before = "…" if start or is_begun else ""
    after = "…" if end < len(line) or goes_on else ""
    return before + line[start:end].strip() + after


def _boundary(line: str, place: int) -> int:
    """The last place up to this one that is not within a character."""
    return max(match.start() for match in GRAPHEME.finditer(line) if match.start() <= place)


def _joined(places: Iterable[Place]) -> tuple[tuple[int, int], ...]:
    """Parts that do not overlap."""
    parts: list[tuple[int, int]] = []
    for place in places:
        if parts and place.start <= parts[-1][1]:
            parts[-1] = (parts[-1][0], max(parts[-1][1], place.end))
        else:
            parts.append((place.start, place.end))
    return tuple(parts)
