"""Faults of deployments, each of which breaks one law: what stands in front of a service does such things."""

import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tests.support.asgi import Whole


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way to the service."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes = b""


Events = Callable[[Asked, int, bytes], bytes]
"""What becomes of an event with this number, counted from 1, or of a comment, whose number is 0."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to what passes."""

    request: Callable[[Asked], Asked | Whole] = lambda asked: asked
    """What is sent on, or what is answered instead."""
    event: Events = lambda _asked, _number, block: block
    whole: Callable[[Asked, Whole], Whole] = lambda _asked, answer: answer
    """What becomes of a response that is no event stream, or of one that is collected."""
    collects: bool = False
    """Whether streams are collected before they are passed on."""


def _dropped_word(_asked: Asked, number: int, block: bytes) -> bytes:
    return b"" if number == 2 and block.startswith(b"data") else block


def _jumping_ids(_asked: Asked, _number: int, block: bytes) -> bytes:
    return re.sub(rb"(?<=:)([0-9]+)\n\n$", lambda match: b"%d\n\n" % (int(match[1]) + (int(match[1]) > 1)), block)


def _repeated_word(asked: Asked, number: int, block: bytes) -> bytes:
    cursor = asked.headers.get("last-event-id", "")
    is_first = number == 1 and not cursor.endswith(":0")
    return b"data: again \nid: %b\n\n" % cursor.encode() + block if cursor and is_first else block


def _no_end(_asked: Asked, _number: int, block: bytes) -> bytes:
    return b"" if block.startswith(b"event: ") else block


def _other_text(_asked: Asked, _number: int, block: bytes) -> bytes:
    return block.replace(b'"text":"', b'"text":"So: ')


def _no_ids(_asked: Asked, _number: int, block: bytes) -> bytes:
    return re.sub(rb"\nid: .*\n", b"\n", block)


def _no_comments(_asked: Asked, number: int, block: bytes) -> bytes:
    return block if number else b""


def _deaf_delete(asked: Asked) -> Asked | Whole:
    if asked.method == "DELETE" and asked.path.startswith("/api/replies/"):
        return Whole(204, {"x-request-id": "0" * 32}, b"")
    return asked


def _no_idempotency(asked: Asked) -> Asked | Whole:
    return replace(asked, headers={name: value for name, value in asked.headers.items() if name != "idempotency-key"})


def _html_errors(_asked: Asked, answer: Whole) -> Whole:
    if answer.status < 400:
        return answer
    return Whole(answer.status, {**answer.headers, "content-type": "text/html"}, b"<h1>Oh no</h1>")


def _teapot(_asked: Asked, answer: Whole) -> Whole:
    return replace(answer, status=418) if answer.status == 422 else answer


def _chatty_list(asked: Asked, answer: Whole) -> Whole:
    if not asked.path.startswith("/api/conversations") or answer.status != 200:
        return answer
    return replace(answer, content=json.dumps({**answer.json(), "served_by": "node-7"}).encode())


def _compressed(asked: Asked, answer: Whole) -> Whole:
    is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
    if not is_stream or "gzip" not in asked.headers.get("accept-encoding", ""):
        return answer
    return replace(
        answer, headers={**answer.headers, "content-encoding": "gzip"}, content=gzip.compress(answer.content)
    )


@dataclass(slots=True)
class KeyOfTheFirst:
    """Signs requests as the first one was signed, if `whom` says so of them."""

    whom: Callable[[Asked, str], bool]
    _first: str = field(default="")

    def __call__(self, asked: Asked) -> Asked | Whole:
        """The request, signed."""
        shown = asked.headers.get("authorization", "")
        self._first = self._first or shown
        if self._first and self.whom(asked, self._first):
            return replace(asked, headers={**asked.headers, "authorization": self._first})
        return asked


@dataclass(slots=True)
class TooMany:
    """Answers 429 to the second message, once."""

    seconds: int = 1
    _messages: int = field(default=0)

    def __call__(self, asked: Asked) -> Asked | Whole:
        """The request, or that answer."""
        self._messages += asked.method == "POST"
        if asked.method != "POST" or self._messages != 2:
            return asked
        problem = {
            "type": "urn:problem:rate-limited",
            "title": "Too many requests",
            "status": 429,
            "detail": "You have sent as many requests as you may for now. Wait as Retry-After says.",
            "retryable": True,
        }
        headers = {
            "content-type": "application/problem+json",
            "retry-after": str(self.seconds),
            "x-request-id": "0" * 32,
        }
        return Whole(429, headers, json.dumps(problem).encode())


def _is_strangers(asked: Asked, first: str) -> bool:
    return bool(re.search("/[0-9a-f]{32}$", asked.path)) and asked.headers.get("authorization") != first


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, and how it has to be told."""

    fault: Fault
    law: str
    """The one that it breaks."""
    told: str
    """What the account says, as a regular expression."""
    tried: tuple[str, ...] = ()
    """The laws to try, if not just the broken one."""
    has_keys: bool = False


CASES: Mapping[str, Case] = {
    "a word is dropped": Case(Fault(event=_dropped_word), "grammar", "has number 3, but 2 is next"),
    "the ids jump": Case(Fault(event=_jumping_ids), "grammar", "has number 3, but 2 is next"),
    "there is no end": Case(Fault(event=_no_end), "grammar", "the stream ends without done or failed"),
    "ids are dropped": Case(Fault(event=_no_ids), "grammar", "a word has data and then an id"),
    "done tells another text": Case(Fault(event=_other_text), "text", "done.text is not what the", ("grammar", "text")),
    "a resumed stream repeats a word": Case(Fault(event=_repeated_word), "resume", "is next", ("grammar", "resume")),
    "DELETE is swallowed": Case(
        Fault(request=_deaf_delete), "cancel", r"later the reply still went on: [0-9]+ more words"
    ),
    "streams are buffered": Case(Fault(collects=True), "streaming", "something buffers the stream"),
    "streams are compressed": Case(Fault(collects=True, whole=_compressed), "streaming", "Content-Encoding: gzip"),
    "comments are dropped": Case(Fault(event=_no_comments), "keep-alive", "no `: ping` in", ("grammar", "keep-alive")),
    "idempotency keys are dropped": Case(Fault(request=_no_idempotency), "idempotency", "replies [0-9a-f]{32} .* and"),
    "errors are pages": Case(Fault(whole=_html_errors), "statuses", "not text/html"),
    "a status is none of the document's": Case(Fault(whole=_teapot), "statuses", "status 418"),
    "a list has one field more": Case(Fault(whole=_chatty_list), "document", "served_by"),
    "anybody is let in": Case(
        Fault(request=KeyOfTheFirst(lambda asked, _: "authorization" not in asked.headers)),
        "access",
        "without a key .* status 200",
        has_keys=True,
    ),
    "who knows the id gets in": Case(
        Fault(request=KeyOfTheFirst(_is_strangers)), "isolation", r"\(read\)", has_keys=True
    ),
}
