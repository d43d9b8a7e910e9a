"""Recognises events that differ from an earlier one in their text alone.

An engine sends a token in some 200 bytes of JSON, of which all but the token are the same for the whole reply. To
compare them costs a fraction of what it costs to parse them. Whatever is not exactly as before is left to the parser.
"""

from typing import Any

_FIELD = b"data:"
_KEY = b'"content"'
_MOST_BYTES = 4096


class Alike:
    """What surrounds the text in the events of one response."""

    __slots__ = ("_after", "_before", "_between")

    def __init__(self) -> None:
        """Nothing is known."""
        self._before = self._after = self._between = b""

    def text(self, events: bytes) -> str | None:
        """The text of some whole events; `None` unless each is as the one that was learned, but for its text."""
        before, after = self._before, self._after
        if not (before and events.startswith(before) and events.endswith(after)):
            return None
        try:
            texts = [text.decode() for text in events[len(before) : -len(after)].split(self._between)]
        except UnicodeDecodeError:
            return None
        text = texts[0] if len(texts) == 1 else "".join(texts)
        # What is printable has no line break, and needs no escape in JSON but for a quote and a backslash.
        return text if text.isprintable() and '"' not in text and "\\" not in text else None

    def learn(self, data: bytes, ending: bytes, chunk: dict[str, Any]) -> None:
        """An event: its only line, without `data:`; what ends the line and the event; and the chunk in it.

        It is kept if the chunk has no other content than the text of its only choice.
        """
        event = _FIELD + data + ending
        if self._before and event.startswith(self._before) and event.endswith(self._after):
            return  # it was parsed because of what came with it
        self._before = b""
        choices = chunk["choices"]
        if len(data) > _MOST_BYTES or data.count(_KEY) != 1 or len(choices) != 1 or "message" in choices[0]:
            return
        delta = choices[0].get("delta") or {}
        start = data.find(b'"', data.index(_KEY) + len(_KEY)) + 1
        end = data.find(b'"', start)
        if start < end and data[start:end].decode("utf-8", "replace") == delta.get("content"):
            self._before, self._after = event[: start + len(_FIELD)], event[end + len(_FIELD) :]
            self._between = self._after + self._before
