"""The service, broken on purpose: `python -m tests.contract.broken --host HOST --port PORT --bot BOT`.

A test that cannot fail tests nothing. The contract rules out each of these flaws; `test_the_tests_bite` checks that it
is caught. The first part of the path selects the flaw: `/no-done/api/chat`.
"""

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import replace

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs
from app.main import create_app
from app.serving import serve
from app.settings import Settings
from tests.support.asgi import Whole

_BY_ID = re.compile("/[0-9a-f]{32}(/[a-z]+)?$")
_LAST_ID = re.compile(rb"\nid: ([0-9a-f]{32}):([0-9]+)\n(?!.*\nid: )", re.DOTALL)


def _second_done(answer: Whole) -> Whole:
    done = answer.content[answer.content.rindex(b"event: done") :]
    return replace(answer, content=answer.content + done)


def _word_after_done(answer: Whole) -> Whole:
    last = _LAST_ID.search(answer.content)
    reply_id, number = (last[1], int(last[2])) if last else (b"0" * 32, 0)
    return replace(answer, content=answer.content + b"data: late\nid: %b:%d\n\n" % (reply_id, number + 1))


def _wrong_id(answer: Whole) -> Whole:
    return replace(answer, content=answer.content.replace(b":1\n", b":2\n", 1))


def _lost_word(answer: Whole) -> Whole:
    return replace(answer, content=answer.content.partition(b"\n\n")[2])


def _other_text(answer: Whole) -> Whole:
    return replace(answer, content=answer.content.replace(b'"text":"', b'"text":"So: '))


def _no_done(answer: Whole) -> Whole:
    return replace(answer, content=answer.content[: answer.content.rindex(b"event: done")])


def _torn_done(answer: Whole) -> Whole:
    return replace(answer, content=answer.content[:-1])


def _other_event(answer: Whole) -> Whole:
    return replace(answer, content=b"event: mood\ndata: kind\n\n" + answer.content)


def _other_field(answer: Whole) -> Whole:
    return replace(answer, content=answer.content.replace(b'"reply_id":', b'"mood":"kind","reply_id":'))


def _other_reason(answer: Whole) -> Whole:
    return replace(answer, content=answer.content.replace(b'"stop"', b'"bored"'))


def _no_reason(answer: Whole) -> Whole:
    return replace(answer, content=answer.content.replace(b',"finish_reason":"stop"', b""))


def _unfinished(answer: Whole) -> Whole:
    running = answer.content.replace(b',"finish_reason":"stop"', b"").replace(b'"completed"', b'"running"')
    return replace(answer, content=running)


def _other_problem(answer: Whole) -> Whole:
    return replace(answer, content=re.sub(b"urn:problem:[a-z-]+", b"urn:problem:not-today", answer.content))


def _undocumented_status(answer: Whole) -> Whole:
    return replace(answer, status=202)


def _without(header: str) -> Callable[[Whole], Whole]:
    def strip(answer: Whole) -> Whole:
        return replace(answer, headers={name: value for name, value in answer.headers.items() if name != header})

    return strip


def _plain_problem(answer: Whole) -> Whole:
    return replace(answer, headers={**answer.headers, "content-type": "application/json"})


def _chatty_problem(answer: Whole) -> Whole:
    return replace(answer, content=answer.content.replace(b'"detail":"', b'"detail":"You sent something. '))


def _is_stream(answer: Whole) -> bool:
    return b"\nevent: done\n" in answer.content


def _is_good(answer: Whole) -> bool:
    return answer.status == 200


def _is_bad(answer: Whole) -> bool:
    return answer.status >= 400


FLAWS: dict[str, tuple[Callable[[Whole], bool], Callable[[Whole], Whole]]] = {
    "none": (_is_good, lambda answer: answer),
    "second-done": (_is_stream, _second_done),
    "word-after-done": (_is_stream, _word_after_done),
    "wrong-id": (_is_stream, _wrong_id),
    "lost-word": (_is_stream, _lost_word),
    "other-text": (_is_stream, _other_text),
    "no-done": (_is_stream, _no_done),
    "torn-done": (_is_stream, _torn_done),
    "other-event": (_is_stream, _other_event),
    "other-field": (_is_good, _other_field),
    "other-reason": (_is_good, _other_reason),
    "no-reason": (_is_good, _no_reason),
    "unfinished": (_is_good, _unfinished),
    "other-problem": (_is_bad, _other_problem),
    "undocumented-status": (_is_good, _undocumented_status),
    "no-request-id": (_is_good, _without("x-request-id")),
    "no-cache-control": (_is_stream, _without("cache-control")),
    "no-content-location": (_is_stream, _without("content-location")),
    "deaf-delete": (_is_good, lambda answer: answer),
    "no-allow": (_is_bad, _without("allow")),
    "plain-problem": (_is_bad, _plain_problem),
    "chatty-problem": (_is_bad, _chatty_problem),
    "no-challenge": (_is_bad, _without("www-authenticate")),
    "no-key-needed": (_is_good, lambda answer: answer),
    "any-key": (_is_good, lambda answer: answer),
    "known-id": (_is_good, lambda answer: answer),
}
"""The responses that each flaw affects, and the function that breaks them.

Some affect the request: `deaf-delete` deletes nothing; the last three treat a client like the first one: a client
without a key; with a wrong one; with a key of its own and the id of another's data.
"""


class Broken:
    """Applies the flaw that the path names to every matching response."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` is the whole service."""
        self._app = app
        self._first: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the whole response, break it, and send it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _, flaw, path = scope["path"].split("/", 2)
        concerns, spoil = FLAWS[flaw]
        start: Message = {}
        content = b""

        async def collect(message: Message) -> None:
            nonlocal content
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                content += message.get("body", b"")

        is_deaf = flaw == "deaf-delete" and scope["method"] == "DELETE"
        method = "GET" if is_deaf else scope["method"]
        headers = self._signed_as(flaw, scope["headers"], is_by_id=_BY_ID.search(path) is not None)
        await self._app({**scope, "method": method, "path": f"/{path}", "headers": headers}, receive, collect)
        sent = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
        answer = Whole(start["status"], sent, content)
        if concerns(answer):
            answer = spoil(answer)
        if is_deaf and _is_good(answer):
            answer = Whole(204, {"x-request-id": answer.headers["x-request-id"]}, b"")
        lengths = {"content-length": str(len(answer.content))} if "content-length" in answer.headers else {}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in {**answer.headers, **lengths}.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": answer.content})

    def _signed_as(self, flaw: str, headers: list[tuple[bytes, bytes]], *, is_by_id: bool) -> list[tuple[bytes, bytes]]:
        """The request's headers; with the first client's credentials, if the flaw mistakes everyone for that client."""
        shown = dict(headers).get(b"authorization", b"")
        is_key = b" chat_" in shown
        if is_key:
            self._first.setdefault(flaw, shown)
        taken_for_the_first = {
            "no-key-needed": not shown,
            "any-key": bool(shown) and not is_key,
            "known-id": is_key and is_by_id,
        }
        if not taken_for_the_first.get(flaw) or flaw not in self._first:
            return headers
        others = (header for header in headers if header[0] != b"authorization")
        return [*others, (b"authorization", self._first[flaw])]


def main() -> int:
    """Serve the broken service like the real one."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("host", "port", "bot"):
        parser.add_argument(f"--{name}")
    settings = Settings.model_validate(vars(parser.parse_args()))
    logs.configure(settings.log_level, settings.log_format)
    app = create_app(settings)
    app.add_middleware(Broken)
    return serve(settings, app)


if __name__ == "__main__":
    sys.exit(main())
