"""Parses an event stream exactly by the WHATWG's rules.

Knows nothing about this contract, so that it shares no mistake with it
(https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
"""

import codecs
import re
from dataclasses import dataclass

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n)")


@dataclass(frozen=True, slots=True)
class Event:
    """An event as a client gets it."""

    name: str
    """The `event` field, or `message` if there is none."""
    data: str
    id: str | None
    """The `id` field of this event; `None` if it has none."""
    lines: tuple[str, ...]
    """The block as it was sent, including comments, without line ends."""
    line: int
    """The number of its first line in the stream, from 1."""


class Parser:
    """Parses a stream that arrives in pieces of any size."""

    def __init__(self) -> None:
        self.unterminated: str | None = None
        """After `close`: what follows the last complete event, which clients discard; `None` if nothing does."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = False
        self._after_cr = False
        self._rest = ""
        self._lines: list[str] = []
        self._line_number = 0

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes."""
        return self._take(self._decoder.decode(piece))

    def close(self) -> list[Event]:
        """End the stream: a block without an empty line after it is not an event."""
        events = self._take(self._decoder.decode(b"", final=True))
        leftover = [*self._lines, self._rest] if self._rest else self._lines
        self.unterminated = "\n".join(leftover) if leftover else None
        return events

    def _take(self, text: str) -> list[Event]:
        if not text:
            return []
        if not self._begun:
            self._begun = True
            text = text.removeprefix("\ufeff")
        if self._after_cr:
            self._after_cr = False
            text = text.removeprefix("\n")  # the second half of a CR LF whose CR ended the last piece
        text = self._rest + text
        found: list[Event] = []
        end = 0
        for match in _LINE.finditer(text):
            end = match.end()
            if event := self._take_line(match[1]):
                found.append(event)
        self._after_cr = end == len(text) and text.endswith("\r")
        self._rest = text[end:]
        return found

    def _take_line(self, line: str) -> Event | None:
        self._line_number += 1
        if line:
            self._lines.append(line)
            return None
        lines, self._lines = tuple(self._lines), []
        return _event(lines, self._line_number - len(lines))


def _event(lines: tuple[str, ...], number: int) -> Event | None:
    name = ""
    data: list[str] = []
    own_id = None
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                name = value
            case "data":
                data.append(value)
            case "id" if "\0" not in value:
                own_id = value
            case _:
                pass  # a comment (its field is empty), or an unknown field
    return Event(name or "message", "\n".join(data), own_id, lines, number) if data else None
