"""Faults of deployments, each of which breaks one law: proxies in front of a service do such things."""

import gzip
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from chat_verify.contract import PROBLEMS
from chat_verify.exchange import Answer


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on the way to the service."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes = b""


Events = Callable[[Asked, int, bytes], bytes]
"""Changes an event with this number, counted from 1, or a comment, whose number is 0."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is changed in passing."""

    request: Callable[[Asked], Asked | Answer] = lambda asked: asked
    """The request to forward, or a response instead."""
    event: Events = lambda _asked, _number, block: block
    whole: Callable[[Asked, Answer], Answer] = lambda _asked, answer: answer
    """Changes a response that is not an event stream, or is buffered."""
    collects: bool = False
    """Whether streams are buffered."""


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


def _deaf_cancel(asked: Asked) -> Asked | Answer:
    if asked.path.endswith("/cancel") and "0" * 32 not in asked.path:
        return Answer(204, {"x-request-id": "0" * 32}, b"")
    return asked


def other_host(asked: Asked) -> Asked | Answer:
    return replace(asked, headers={**asked.headers, "host": "127.0.0.1:8000"})


def _no_origin(asked: Asked) -> Asked | Answer:
    dropped = {"origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"}
    return replace(asked, headers={name: value for name, value in asked.headers.items() if name not in dropped})


def _new_keys(asked: Asked) -> Asked | Answer:
    """Like a gateway that creates the keys itself, one per attempt."""
    if "idempotency-key" not in asked.headers or "fail_after" not in asked.body.decode():
        return asked
    return replace(asked, headers={**asked.headers, "idempotency-key": secrets.token_hex(8)})


def _absolute(prefix: str) -> Callable[[Asked, Answer], Answer]:
    def rewrite(_asked: Asked, answer: Answer) -> Answer:
        location = answer.headers.get("content-location", "")
        return (
            replace(answer, headers={**answer.headers, "content-location": prefix + location}) if location else answer
        )

    return rewrite


def _get_for_head(asked: Asked) -> Asked | Answer:
    return replace(asked, method="GET") if asked.method == "HEAD" else asked


def _own_servers(asked: Asked, answer: Answer) -> Answer:
    if asked.path != "/openapi.json":
        return answer
    return replace(answer, content=answer.content.replace(b'"url":"./"', b'"url":"http://10.0.0.7:8000/"'))


def its_own_refusals(asked: Asked) -> Asked | Answer:
    """Like nginx, which itself refuses what it does not understand."""
    if asked.method in {"TRACE", "QUERY"}:
        return Answer(405, {"server": "nginx/1.22.1", "content-type": "text/html"}, b"<h1>405 Not Allowed</h1>")
    return asked


def _replaced_errors(_asked: Asked, answer: Answer) -> Answer:
    """Like nginx with `proxy_intercept_errors on`."""
    if answer.status < 400:
        return answer
    return Answer(answer.status, {"server": "nginx/1.22.1", "content-type": "text/html"}, b"<h1>Oh no</h1>")


def _no_idempotency(asked: Asked) -> Asked | Answer:
    return replace(asked, headers={name: value for name, value in asked.headers.items() if name != "idempotency-key"})


def _html_errors(_asked: Asked, answer: Answer) -> Answer:
    if answer.status < 400:
        return answer
    return Answer(answer.status, {**answer.headers, "content-type": "text/html"}, b"<h1>Oh no</h1>")


def _teapot(_asked: Asked, answer: Answer) -> Answer:
    return replace(answer, status=418) if answer.status == 422 else answer


def _uncounted(asked: Asked, answer: Answer) -> Answer:
    """A JSON reply without a required field."""
    if asked.path != "/api/replies" or answer.status != 200:
        return answer
    return replace(answer, content=answer.content.replace(b'"words"', b'"count"'))


def grown(_asked: Asked, answer: Answer) -> Answer:
    """Allowed additions of a later version of the contract."""
    is_json = "json" in answer.headers.get("content-type", "")
    if not is_json or not answer.content.startswith(b"{") or b'"openapi"' in answer.content:
        return answer
    return replace(answer, content=json.dumps({**answer.json(), "served_by": "node-7"}).encode())


def grown_stream(_asked: Asked, number: int, block: bytes) -> bytes:
    """An additional event, and an additional field in the last one."""
    more = b"event: thought\ndata: hm\n\n" if number == 1 else b""
    return more + block.replace(b'event: done\ndata: {"', b'event: done\ndata: {"served_by":"node-7","')


def _compressed(asked: Asked, answer: Answer) -> Answer:
    is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
    if not is_stream or "gzip" not in asked.headers.get("accept-encoding", ""):
        return answer
    return replace(
        answer, headers={**answer.headers, "content-encoding": "gzip"}, content=gzip.compress(answer.content)
    )


@dataclass(slots=True)
class KeyOfTheFirst:
    """Sends the first client's credentials with requests selected by `whom`."""

    whom: Callable[[Asked, str], bool]
    _first: str = field(default="")

    def __call__(self, asked: Asked) -> Asked | Answer:
        """The request with those credentials."""
        shown = asked.headers.get("authorization", "")
        self._first = self._first or shown
        if self._first and self.whom(asked, self._first):
            return replace(asked, headers={**asked.headers, "authorization": self._first})
        return asked


@dataclass(slots=True)
class TooMany:
    """Responds with 429 to the second message, once."""

    seconds: int = 1
    _messages: int = field(default=0)

    def __call__(self, asked: Asked) -> Asked | Answer:
        """The request, or the 429."""
        self._messages += asked.method == "POST"
        if asked.method != "POST" or self._messages != 2:
            return asked
        headers = {
            "content-type": "application/problem+json",
            "retry-after": str(self.seconds),
            "x-request-id": "0" * 32,
        }
        return Answer(429, headers, json.dumps(PROBLEMS["rate-limited"]).encode())


def _is_strangers(asked: Asked, first: str) -> bool:
    return bool(re.search("/replies/[0-9a-f]{32}$", asked.path)) and asked.headers.get("authorization") != first


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, and the expected report."""

    fault: Fault
    law: str
    """The law that it breaks."""
    told: str
    """A regular expression for the report."""
    tried: tuple[str, ...] = ()
    """The laws to try, if not only the broken one."""
    has_keys: bool = False


CASES: Mapping[str, Case] = {
    "a word is dropped": Case(Fault(event=_dropped_word), "grammar", "has number 3, but 2 is next"),
    "the ids jump": Case(Fault(event=_jumping_ids), "grammar", "has number 3, but 2 is next"),
    "there is no end": Case(
        Fault(event=_no_end),
        "grammar",
        "the stream ends without done or failed.*closed cleanly.*proxy_http_version 1.1",
    ),
    "ids are dropped": Case(Fault(event=_no_ids), "grammar", "a word has data and then an id"),
    "done tells another text": Case(Fault(event=_other_text), "text", "done.text is not what the", ("grammar", "text")),
    "a resumed stream repeats a word": Case(Fault(event=_repeated_word), "resume", "is next", ("grammar", "resume")),
    "cancelling is swallowed": Case(
        Fault(request=_deaf_cancel), "cancel", r"later the reply still went on: [0-9]+ more words"
    ),
    "streams are buffered": Case(Fault(collects=True), "streaming", "something buffers the stream"),
    "streams are compressed": Case(Fault(collects=True, whole=_compressed), "streaming", "Content-Encoding: gzip"),
    "comments are dropped": Case(Fault(event=_no_comments), "keep-alive", "no `: ping` in", ("grammar", "keep-alive")),
    "idempotency keys are dropped": Case(Fault(request=_no_idempotency), "idempotency", "replies [0-9a-f]{32} .* and"),
    "errors are pages": Case(Fault(whole=_html_errors), "statuses", "not text/html"),
    "a status is none of the document's": Case(Fault(whole=_teapot), "statuses", "status 418"),
    "errors are replaced by a hop": Case(
        Fault(whole=_replaced_errors),
        "statuses",
        r"a hop in front .* \(nginx/1.22.1\).*proxy_intercept_errors",
    ),
    "a reply as JSON lacks a field": Case(Fault(whole=_uncounted), "document", '"words" is a required property'),
    "each attempt has another key": Case(Fault(request=_new_keys), "retries", "the conversations [0-9a-f]{32} and"),
    "addresses are absolute": Case(Fault(whole=_absolute("/api/")), "addresses", "Content-Location"),
    "addresses lead elsewhere": Case(
        Fault(whole=_own_servers), "addresses", "servers: http://10.0.0.7:8000/, which leads to", ("addresses",)
    ),
    "HEAD is answered with a body": Case(Fault(request=_get_for_head), "head", "bytes after the headers"),
    "origins are dropped": Case(
        Fault(request=_no_origin), "browser", "not refused, though a page of https://elsewhere"
    ),
    "anybody is let in": Case(
        Fault(request=KeyOfTheFirst(lambda asked, _: "authorization" not in asked.headers)),
        "access",
        "without a key .* status 404",
        has_keys=True,
    ),
    "who knows the id gets in": Case(
        Fault(request=KeyOfTheFirst(_is_strangers)), "isolation", r"\(read as JSON\)", has_keys=True
    ),
}
