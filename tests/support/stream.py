"""Parses event streams strictly.

`Parser` follows exactly the WHATWG's rules for event streams and knows nothing about this service, so that it shares no
mistake with it. `check_stream` checks a whole stream against the contract: `word* (done | failed)`.
"""

import codecs
import re
from dataclasses import dataclass
from typing import Never, TypeVar

from pydantic import MISSING, BaseModel, ValidationError

from app.chat.white_space import WHITE_SPACE
from generated.models import Problem, Reply
from tests.support.closed import check_shape

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n)")
_WORD_ID = re.compile(r"([0-9a-f]{32}):([1-9][0-9]{0,9})")
_PING = ": ping"

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event."""

    name: str
    """The `event` field, or `message` if the block has none."""
    data: str
    last_event_id: str
    """As in `EventSource`: the id of this event or, if it has none, of the last event with an id."""
    id: str | None
    """The `id` field of this block; `None` if it has none."""
    retry: int | None
    lines: tuple[str, ...]
    """The block as it was sent, including comments, without line endings."""


class Parser:
    """Parses an event stream that arrives in pieces of any size (https://html.spec.whatwg.org/#event-stream-interpretation)."""

    def __init__(self) -> None:
        """Start before the first byte."""
        self.events: list[Event] = []
        """All events so far."""
        self.unterminated: str | None = None
        """After `close`: what follows the last complete event, which clients discard; `None` if nothing does."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = False
        self._after_cr = False
        self._rest = ""
        self._last_event_id = ""
        self._lines: list[str] = []

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes."""
        return self._take(self._decoder.decode(piece))

    def close(self) -> list[Event]:
        """End the stream: a block without an empty line after it is not an event, and goes to `unterminated`."""
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
            if event := self._line(match[1]):
                found.append(event)
        self._after_cr = end == len(text) and text.endswith("\r")
        self._rest = text[end:]
        self.events += found
        return found

    def _line(self, line: str) -> Event | None:
        if line:
            self._lines.append(line)
            return None
        lines, self._lines = tuple(self._lines), []
        return self._dispatch(lines)

    def _dispatch(self, lines: tuple[str, ...]) -> Event | None:
        name = ""
        data: list[str] = []
        own_id = retry = None
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
                case "retry" if value.isascii() and value.isdigit():
                    retry = int(value)
                case _:
                    pass  # a comment (its field is empty), or an unknown field
        if own_id is not None:
            self._last_event_id = own_id
        if not data:
            return None
        return Event(name or "message", "\n".join(data), self._last_event_id, own_id, retry, lines)


@dataclass(frozen=True, slots=True)
class Transcript:
    """A complete, valid stream."""

    reply_id: str | None
    """`None` only if the reply failed before its first word: then nothing in the stream names it."""
    words: tuple[str, ...]
    text: str
    """All words, concatenated."""
    end: Reply | Problem
    pings: int

    @property
    def reply(self) -> Reply:
        """The end, if it is `done`.

        Raises `AssertionError`.
        """
        if isinstance(self.end, Problem):
            _fail(f"the reply failed with {self.end.type} after {len(self.words)} words")
        return self.end

    @property
    def problem(self) -> Problem:
        """The end, if it is `failed`.

        Raises `AssertionError`.
        """
        if isinstance(self.end, Reply):
            _fail(f"the reply was done, with finish_reason {self.end.finish_reason}, after {len(self.words)} words")
        return self.end


def check_stream(raw: bytes, after: int = 0) -> Transcript:
    """Check a whole stream against the contract, or the rest of one after its first `after` words.

    Raises `AssertionError` with the place and the broken rule.
    """
    events = _events(raw)
    if not events or events[-1].name not in {"done", "failed"}:
        _fail(f"the stream ends without done or failed, after {len(events)} events")
    pings = sum(_leading_pings(event) for event in events)
    reply_id = None
    for n, event in enumerate(events[:-1], after + 1):
        reply_id = _check_word(event, n, reply_id)
    words = tuple(event.data for event in events[:-1])
    end = _end(events[-1], words, reply_id, after)
    if isinstance(end, Reply):
        reply_id = end.reply_id
    return Transcript(reply_id, words, "".join(words), end, pings)


def _events(raw: bytes) -> list[Event]:
    """Parse the events, and check encoding, line endings, and that every block is a complete event."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        _fail(f"the stream is not UTF-8 at byte {error.start}: {raw[error.start : error.start + 20]!r}")
    if text.startswith("\ufeff"):
        _fail("the stream starts with a byte order mark")
    if "\r" in text:
        place = text.index("\r")
        _fail(f"the stream has a CR: {text[max(place - 40, 0) : place + 40]!r}")
    parser = Parser()
    events = parser.feed(raw) + parser.close()
    if parser.unterminated is not None:
        _fail(f"the stream ends inside an event, after {len(events)} complete ones: {parser.unterminated[:80]!r}")
    for block in text.split("\n\n")[:-1]:
        if block.startswith("\n") or not re.search("^data", block, re.MULTILINE):
            _fail(f"the stream has a block without data: {block[:80]!r}")
    return events


def _leading_pings(event: Event) -> int:
    """Count the keep-alives before an event. Other comments, or comments elsewhere, are not allowed."""
    pings = next(n for n, line in enumerate(event.lines) if line != _PING)
    for line in event.lines[pings:]:
        if line.startswith(":"):
            _fail(f"a comment is not a ping before an event: {line[:80]!r} in {event.lines!r:.200}")
    return pings


def _check_word(event: Event, n: int, reply_id: str | None) -> str:
    """Check the word that should be number n. Returns the reply's id."""
    where = f"event {n} ({event.data[:40]!r})"
    if event.name in {"done", "failed"}:
        _fail(f"{where} is {event.name}, but something follows it")
    fields = [line.partition(": ")[0] for line in event.lines if line != _PING]
    if fields != [*["data"] * (len(fields) - 1), "id"]:
        _fail(f"{where} is not a word: a word has data and then an id, and this has {fields}")
    match = _WORD_ID.fullmatch(event.id or "")
    if not match:
        _fail(f"{where} has an id that is not <reply_id>:<n>: {event.id!r}")
    if int(match[2]) != n:
        _fail(f"{where} has number {match[2]}, but {n} is next")
    if reply_id not in {None, match[1]}:
        _fail(f"{where} is of reply {match[1]}, in a stream of {reply_id}")
    if not event.data:
        _fail(f"{where} has empty data")
    if event.data[0] in WHITE_SPACE:
        _fail(f"{where} starts with white space: {event.data[:10]!r}")
    if "\0" in event.data:
        _fail(f"{where} has a NUL")
    return match[1]


def _end(event: Event, words: tuple[str, ...], reply_id: str | None, after: int) -> Reply | Problem:
    """Check the terminal event."""
    fields = [line.partition(": ")[0] for line in event.lines if line != _PING]
    if fields != ["event", "data"]:
        _fail(f"{event.name} should have an event and one data line, and has {fields}")
    end = _parsed(Problem, event, "Problem") if event.name == "failed" else _parsed(Reply, event, "FinishedReply")
    if end.words != (MISSING if _is_about_the_reader(end) else after + len(words)):
        _fail(f"{event.name} says that there were {end.words} words, and there were {after} and {len(words)}")
    if isinstance(end, Problem):
        return end
    if end.state != ("cancelled" if end.finish_reason in {"cancelled", "abandoned"} else "completed"):
        _fail(f"done has state {end.state} and finish_reason {end.finish_reason}")
    if end.reply_id != (reply_id or end.reply_id):
        _fail(f"done is of reply {end.reply_id}, in a stream of {reply_id}")
    if not (end.text.endswith("".join(words)) if after else end.text == "".join(words)):
        _fail(f"done.text is not what the {len(words)} words give: {end.text[:80]!r} and {''.join(words)[:80]!r}")
    return end


def _is_about_the_reader(end: Reply | Problem) -> bool:
    """Whether only the reader's access has ended, so that the reply may go on."""
    return isinstance(end, Problem) and end.type == "urn:problem:access-ended"


def _parsed(model: type[_Model], event: Event, shape: str) -> _Model:
    check_shape(shape, event.data)
    try:
        return model.model_validate_json(event.data, strict=True)
    except ValidationError as error:
        _fail(f"{event.name} breaks the contract: {error}\n{event.data[:200]}")


def _fail(message: str) -> Never:
    raise AssertionError(message)
