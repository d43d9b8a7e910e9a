"""Normalises a bot's text once, on entry, so that no other code has to check it.

CR LF and CR become LF, NUL is dropped, lone surrogates become U+FFFD, and leading white space of the reply is dropped.
The result does not depend on how the text is split into deltas.
"""

import re

from app.chat.white_space import WHITE_SPACE

_SURROGATE = re.compile("[\ud800-\udfff]")
_HIGH_SURROGATES = ("\ud800", "\udbff")


class Normaliser:
    """Takes deltas and returns clean text. One instance per reply."""

    __slots__ = ("_begun", "_held")

    def __init__(self) -> None:
        """Start before the first delta."""
        self._begun = False
        self._held = ""  # a trailing CR or high surrogate, whose meaning depends on the next delta

    def feed(self, delta: str) -> str:
        """The clean text of the next delta; empty if all of it is dropped or held until the next one."""
        if self._held or not delta.isascii() or "\r" in delta or "\0" in delta:
            return self._clean(self._held + delta, last=False)
        return delta if self._begun else self._begin(delta)

    def flush(self) -> str:
        """The rest of the text, after the last delta."""
        return self._clean(self._held, last=True) if self._held else ""

    def _clean(self, text: str, *, last: bool) -> str:
        self._held = ""
        text = text.replace("\0", "")
        if text and not last and (text[-1] == "\r" or _HIGH_SURROGATES[0] <= text[-1] <= _HIGH_SURROGATES[1]):
            self._held = text[-1]
            text = text[:-1]
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if _SURROGATE.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text if self._begun else self._begin(text)

    def _begin(self, text: str) -> str:
        text = text.lstrip(WHITE_SPACE)
        self._begun = bool(text)
        return text
