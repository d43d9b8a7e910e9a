"""Reduces texts to what a search compares: the same in each database, whatever its own idea of a word.

A term is a run of letters and digits, without case, accents and compatibility forms. Scripts without spaces between
words give pairs of characters. A query matches a text if each of its words begins a word of the text.
"""

import unicodedata
from collections.abc import Iterable, Iterator

import regex

MOST_BYTES = 800_000
"""Of the terms of one conversation: a database has a bound on what it indexes. Further ones are not found."""
MOST_WORDS = 16
"""Of one query; further ones do not count."""

_LONGEST = 64
_ACCENTS = regex.compile("[\u0300-\u036f]+")
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_ONE_OF_A_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]")
_UNSPACED = regex.compile(r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Yi}\p{LB=SA}]+)")


def terms_of(texts: Iterable[str]) -> str:
    """The terms of texts, each once, with blanks between them."""
    found: dict[str, None] = {}
    room = MOST_BYTES
    for text in texts:
        for word in _words(text):
            for part in _parts(word):
                for term in _pairs(part) if _UNSPACED.match(part) else (part[:_LONGEST],):
                    if term not in found:
                        room -= len(term.encode()) + 1
                        if room < 0:
                            return " ".join(found)
                        found[term] = None
    return " ".join(found)


def query_of(text: str) -> list[str]:
    """Beginnings of terms, all of which a text has to have; none if the query has no word."""
    wanted: dict[str, None] = {}
    for word in list(_words(text))[:MOST_WORDS]:
        for part in _parts(word):
            is_pairs = _UNSPACED.match(part) and len(part) > 1
            wanted.update(dict.fromkeys(list(_pairs(part))[:-1] if is_pairs else (part[:_LONGEST],)))
    return list(wanted)[: 4 * MOST_WORDS]


def folded(text: str) -> str:
    """A text without case, accents and compatibility forms. That of a text is that of its graphemes together."""
    known = unicodedata.normalize("NFKC", text).casefold()
    if known.isascii():
        return known
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", known)))


def beginnings(text: str, wanted: str) -> Iterator[int]:
    """Where a folded text has terms that begin so, as `query_of` gives it."""
    is_unspaced = _UNSPACED.match(wanted) is not None
    place = text.find(wanted)
    while place >= 0:
        before = text[place - 1 : place]
        if is_unspaced or not _ONE_OF_A_WORD.match(before) or _UNSPACED.match(before):
            yield place
        place = text.find(wanted, place + 1)


def _words(text: str) -> Iterator[str]:
    return (match[0] for match in _WORD.finditer(folded(text)))


def _parts(word: str) -> Iterator[str]:
    """Runs of a script without spaces, and what is between them."""
    return (part for part in _UNSPACED.split(word) if part)


def _pairs(part: str) -> Iterator[str]:
    """Each character with the next one; the last one alone."""
    return (part[start : start + 2] for start in range(len(part)))
