"""Checks whether a raw HTTP response is the expected echo, word by word.

Runs after the measurement, so it can be thorough. Knows nothing about sockets.
"""

import json
from typing import NamedTuple

HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class WrongAnswer(Exception):
    """A server gave a wrong response, so its figures are meaningless."""


class Event(NamedTuple):
    name: str
    id: str
    data: str


def check(raw: bytes, words: list[str], *, whole: bool) -> list[int]:
    """For each word, the number of its event, from 0.

    Raises `WrongAnswer` unless `raw` streams exactly `words`, then `done` or, if not `whole`, a prefix of that.
    """
    events = read_events(body(raw)) if raw or whole else []
    done = events.pop() if events and events[-1].name == "done" else None
    got = [event.data.rstrip(" ") for event in events]
    if got != words[: len(got)]:
        raise WrongAnswer(f"the words differ from those sent: {first_difference(got, words)}")
    if [event.id.rpartition(":")[2] for event in events] != [str(n) for n in range(1, len(events) + 1)]:
        raise WrongAnswer("the ids do not count from 1")
    if done is None:
        if whole:
            raise WrongAnswer(f"no done event after {len(got)} of {len(words)} words")
    elif len(got) != len(words):
        raise WrongAnswer(f"done after {len(got)} of {len(words)} words")
    elif text_of(done.data) != " ".join(words):
        raise WrongAnswer("the text of the done event differs from the text sent")
    return list(range(len(got)))


def text_of(done: str) -> str | None:
    try:
        text: str | None = json.loads(done)["text"]
    except (ValueError, TypeError, KeyError):
        return None
    return text


def first_difference(got: list[str], words: list[str]) -> str:
    for n, word in enumerate(got):
        if n >= len(words) or word != words[n]:
            return f"word {n + 1} is {word[:40]!r}"
    return "too few"


def body(raw: bytes) -> str:
    """The decoded body of a chunked response with status 200, as far as it was received."""
    head, _, rest = raw.partition(HEAD_END)
    if not head.startswith(b"HTTP/1.1 200"):
        raise WrongAnswer(f"answered {raw[:300]!r}")
    fields = head.lower()
    if b"transfer-encoding: chunked" not in fields or b"text/event-stream" not in fields:
        raise WrongAnswer(f"not a chunked event stream: {head[:300]!r}")
    parts: list[bytes] = []
    at = 0
    while (line_end := rest.find(b"\r\n", at)) > 0:
        try:
            size = int(rest[at:line_end].partition(b";")[0], 16)
        except ValueError:
            raise WrongAnswer(f"not a chunk's size: {rest[at:line_end][:40]!r}") from None
        parts.append(rest[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2
    return b"".join(parts).decode("utf-8", errors="replace")


def read_events(text: str) -> list[Event]:
    """All complete events of the stream."""
    events: list[Event] = []
    name = number = data = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith("data: "):
            data = f"{data}\n{line[6:]}" if data else line[6:]
        elif line.startswith("id: "):
            number = line[4:]
        elif line.startswith("event: "):
            name = line[7:]
        elif not line and data:
            events.append(Event(name, number, data))
            name = number = data = ""
    return events
