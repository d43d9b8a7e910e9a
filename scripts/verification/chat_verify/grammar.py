"""Checks a whole stream against the contract: `stream := word* ( done | failed )`.

Owns the grammar and its error messages; recorded and live streams are checked by the same function. Events that this
version of the contract does not have are skipped, as the contract tells clients to do.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Never

from chat_verify.contract import PROBLEMS, NotAsDocumented, check_component
from chat_verify.sse import Event, Parser
from chat_verify.texts import is_white_space

Law = Literal["grammar", "text"]
_WORD_ID = re.compile(r"([0-9a-f]{32}):([1-9][0-9]{0,9})")
_PING = ": ping"
_ENDS = {"done", "failed"}
_LINE_BREAKS = {"\x85", "\u2028", "\u2029"}

RULE = "stream := word* ( done | failed ); a word has data and the id <reply_id>:<n>, n counts from 1 without gaps"
TEXT_RULE = "the data of all words, concatenated, is the text of done"


class StreamBroken(Exception):
    """A stream breaks a law; the message says which rule and where."""

    def __init__(self, message: str, *, law: Law = "grammar", line: int = 1, event: int = 0) -> None:
        super().__init__(message)
        self.law: Law = law
        self.line = line
        """The line of the stream, from 1."""
        self.event = event
        """How many complete events precede the place."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A complete, valid stream."""

    reply_id: str
    """Empty if the reply failed before its first word: then nothing in the stream names it."""
    words: tuple[str, ...]
    end: Mapping[str, Any]
    """The data of the last event: a Reply or a Problem."""
    failed: bool
    pings: int

    @property
    def text(self) -> str:
        """All words, concatenated."""
        return "".join(self.words)


def check_stream(raw: bytes, after: int = 0) -> Transcript:
    """Check a whole stream, or the rest of one after its first `after` words. Raises `StreamBroken`."""
    events = _events(raw)
    known = [event for event in events if event.name in _ENDS or event.name == "message"]
    end = next((n for n, event in enumerate(events) if event.name in _ENDS), None)
    if end is None:
        count = f"{len(known)} {'word' if len(known) == 1 else 'words'}"
        _fail(f"the stream ends without done or failed, after {count}", line=raw.count(b"\n") + 1, event=len(events))
    if end < len(events) - 1:
        _fail(f"something follows {events[end].name}: {events[end + 1].name}", line=events[end + 1].line, event=end + 1)
    pings = sum(_leading_pings(event) for event in events)
    reply_id = ""
    for n, event in enumerate(known[:-1], after + 1):
        reply_id = _check_word(event, n, reply_id)
    words = tuple(event.data for event in known[:-1])
    last = known[-1]
    told = _check_end(last, words, after)
    its_id = str(told["reply_id"]) if last.name == "done" else reply_id
    if reply_id not in {"", its_id}:
        _fail(f"done belongs to reply {its_id}, the words belong to {reply_id}", line=last.line)
    return Transcript(its_id, words, told, last.name == "failed", pings)


def _events(raw: bytes) -> list[Event]:
    """Parse the events, and check encoding, line endings, and that every block is complete."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        _fail(f"the stream is not UTF-8 at byte {error.start}: {raw[error.start : error.start + 20]!r}", line=line)
    if text.startswith("\ufeff"):
        _fail("the stream starts with a byte order mark")
    if "\r" in text:
        place = text.index("\r")
        _fail(f"the stream has a CR: {text[max(place - 40, 0) : place + 40]!r}", line=text.count("\n", 0, place) + 1)
    parser = Parser()
    events = parser.feed(raw) + parser.close()
    if parser.unterminated is not None:
        told = f"the stream ends inside an event, after {len(events)} complete ones: {parser.unterminated[:80]!r}"
        _fail(told, line=raw.count(b"\n") + 1, event=len(events))
    line = 1
    for block in text.split("\n\n")[:-1]:
        if block.startswith("\n") or not re.search("^data", block, re.MULTILINE):
            _fail(f"the stream has a block without data: {block[:80]!r}", line=line)
        line += block.count("\n") + 2
    return events


def _leading_pings(event: Event) -> int:
    """Count the keep-alives before an event. Other comments, or comments elsewhere, are not allowed."""
    pings = next(n for n, line in enumerate(event.lines) if line != _PING)
    for line in event.lines[pings:]:
        if line.startswith(":"):
            _fail(f"a comment is not a ping before an event: {line[:80]!r} in {event.lines!r:.200}", line=event.line)
    return pings


def _check_word(event: Event, n: int, reply_id: str) -> str:
    """Check the word that should be number n. Returns the reply's id."""
    where = f"event {n} ({event.data[:40]!r})"

    def fail(message: str) -> Never:
        _fail(f"{where} {message}", line=event.line, event=n - 1)

    fields = _fields(event)
    if fields != [*["data"] * (len(fields) - 1), "id"]:
        fail(f"is not a word: a word has data and then an id, and this has {fields}")
    match = _WORD_ID.fullmatch(event.id or "")
    if not match:
        fail(f"has an id that is not <reply_id>:<n>: {event.id!r}")
    if int(match[2]) != n:
        fail(f"has number {match[2]}, but {n} is next")
    if reply_id not in {"", match[1]}:
        fail(f"belongs to reply {match[1]}, in a stream of {reply_id}")
    if not event.data:
        fail("has empty data")
    if is_white_space(event.data[0]):
        fail(f"starts with white space: {event.data[:10]!r}")
    if "\0" in event.data:
        fail("has a NUL")
    return match[1]


def _check_end(event: Event, words: tuple[str, ...], after: int) -> Mapping[str, Any]:
    """Check the terminal event, and return its data."""
    fields = _fields(event)
    if fields != ["event", "data"]:
        _fail(f"{event.name} should have an event and one data line, and has {fields}", line=event.line)
    if unescaped := _LINE_BREAKS & set(event.data):
        told = f"the JSON of {event.name} has {sorted(unescaped)} unescaped, which some clients take for a line ending"
        _fail(told, line=event.line)
    try:
        end: Mapping[str, Any] = json.loads(event.data)
        check_component("Problem" if event.name == "failed" else "Reply", end)
        if event.name == "failed":
            _check_failure(end)
            return end
    except ValueError as error:
        _fail(f"the data of {event.name} breaks the contract: {error}; {event.data[:200]}", line=event.line)
    text, said = end["text"], "".join(words)
    if not (text.endswith(said) if after else text == said):
        told = f"done.text is not what the {len(words)} words add up to: {text[:80]!r} and {said[:80]!r}"
        _fail(told, law="text", line=event.line)
    if end["words"] != after + len(words):
        _fail(f"done counts {end['words']} words, but there were {after + len(words)}", line=event.line)
    if "finish_reason" not in end:
        _fail("done has no finish_reason", line=event.line)
    return end


def _check_failure(problem: Mapping[str, Any]) -> None:
    documented = PROBLEMS.get(problem["type"].removeprefix("urn:problem:"))
    if documented and (problem["status"], problem["retryable"]) != (documented["status"], documented["retryable"]):
        raise NotAsDocumented(f"{problem['type']} has the status {documented['status']}")


def _fields(event: Event) -> list[str]:
    return [line.partition(": ")[0] for line in event.lines if line != _PING]


def _fail(message: str, *, law: Law = "grammar", line: int = 1, event: int = 0) -> Never:
    raise StreamBroken(message, law=law, line=line, event=event)
