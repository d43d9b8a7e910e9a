"""Splits a reply's text into words as it arrives.

A word is what a reader would call one, **with all the white space that follows it**; so only the start of the next word
can end it. In scripts without spaces between words (Chinese, Japanese, Thai, ...) each character is a word, as readers
of these scripts expect, with punctuation kept on the side where it belongs. No grapheme (emoji, combining mark, Hangul
syllable) is split. The words do not depend on how the text is split into deltas.

Sources: Unicode UAX #29 (grapheme clusters), UAX #14 (classes SA and CJ).
"""

import re

import regex

from app.chat.white_space import WHITE_SPACE

MAX_WORD_GRAPHEMES = 100
"""A longer run without white space is emitted in parts of this many graphemes."""

MAX_WORD_CODE_POINTS = 4096
"""A longer part is split even inside a grapheme: buffers are bounded, and a letter with 1,000 marks is not text."""

_S = f"[{re.escape(WHITE_SPACE)}]"
_NOT_S = f"[^{re.escape(WHITE_SPACE)}]"

# Characters that are each one grapheme in any text made only of these: counting and splitting are then simple.
# Latin, Greek, Cyrillic, Armenian, Hebrew letters, most punctuation and symbols, Hangul syllables, simple emoji.
_PLAIN = re.compile(
    "[\x01-\xac\xae-\u02e9\u02ec-\u02ff\u0370-\u0482\u048a-\u058f\u05d0-\u05f4\u1e00-\u200a\u2010-\u2029\u202f-\u205f\u20a0-\u20c0"
    "\u2100-\u2bff\u3000\uac00-\ud7a3\U0001f300-\U0001f3fa\U0001f400-\U0001faff]*"
)
_PLAIN_WORD = re.compile(f"{_NOT_S}{{1,{MAX_WORD_GRAPHEMES}}}{_S}*")

_CONTINUES = r"[\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=ZWJ}]"
_SPACE = rf"{_S}(?!{_CONTINUES})"  # white space with a combining mark does not count as white space
_UNSPACED = rf"[[\p{{Han}}\p{{Hiragana}}\p{{Katakana}}\p{{Bopomofo}}\p{{Yi}}\p{{LB=SA}}]--{_CONTINUES}]"
_OPENING = r"[\p{Ps}\p{Pi}]"
_CLOSING = rf"[\p{{LB=CJ}}[^\p{{L}}\p{{N}}\p{{Ps}}\p{{Pi}}{re.escape(WHITE_SPACE)}]]"
_KATAKANA = r"[[\p{Katakana}\p{LB=CJ}]--\p{Hiragana}]"
_RUN = rf"(?: (?!{_SPACE}) (?!{_OPENING}{{0,4}}{_UNSPACED}) \X ){{1,{MAX_WORD_GRAPHEMES}}}"
_WORD = regex.compile(
    rf"""(?:
        (?:(?={_OPENING})\X){{0,4}}
        (?: (?:(?={_KATAKANA})\X){{1,32}} | (?={_UNSPACED})\X )
        (?:(?={_CLOSING})\X){{0,{MAX_WORD_GRAPHEMES}}}
      | {_RUN}
      | {_NOT_S}
    )
    (?: (?:{_SPACE})* (?={_S}) {_RUN} )*  # white space with a mark on it: no word may start there
    (?: {_SPACE} )*""",
    regex.VERBOSE | regex.VERSION1,
)
_NO_SPACE = re.compile(_NOT_S)


class WordSplitter:
    """Takes clean text (see `app.chat.text`) and returns whole words. One instance per reply."""

    __slots__ = ("_pending", "_spaces")

    def __init__(self) -> None:
        """Start before the first word."""
        self._pending = ""  # the last word, which may not be complete
        self._spaces: list[str] | None = None  # it and the white space after it, a long run of which is not rescanned

    def feed(self, text: str) -> list[str]:
        """The words that this piece of text completes."""
        if not text.strip(WHITE_SPACE):
            if text:
                self._spaces = self._spaces or [self._pending]
                self._spaces.append(text)
            return []
        if self._spaces is not None:
            self._pending = "".join(self._spaces)
            self._spaces = None
        text = self._pending + text
        words = _PLAIN_WORD.findall(text) if text.isascii() or _PLAIN.fullmatch(text) else _split(text)
        self._pending = words.pop()
        return words

    def flush(self) -> list[str]:
        """The last word, if there is one. Call it at the end of the text."""
        word = self._pending if self._spaces is None else "".join(self._spaces)
        self._pending = ""
        self._spaces = None
        return [word] if word else []


def _split(text: str) -> list[str]:
    """Split text of any script. All words but the last are final, whatever text follows."""
    words: list[str] = _WORD.findall(text)
    if max(map(len, words)) <= MAX_WORD_CODE_POINTS:
        return words
    words = []
    start = 0
    while start < len(text):
        match = _WORD.match(text, start)
        end = match.end() if match else start + 1
        if end - start > MAX_WORD_CODE_POINTS:
            # No part may start with white space, and a part that ends in white space may still grow.
            cut = _NO_SPACE.search(text, start + MAX_WORD_CODE_POINTS, end)
            end = cut.start() if cut else end
        words.append(text[start:end])
        start = end
    return words
