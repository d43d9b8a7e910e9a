"""The event stream: the contract's grammar `word* (done | failed)`, as Server-Sent Events.

Owns the frames and the response that sends them. Everything available goes out in one send: in the step in which the
bot generated it if the server can write at once, otherwise by the response's task.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.chat.errors import AccessEnded, ReplyElsewhere
from app.chat.model import Done, End, Failed
from app.chat.running import RunningReply
from app.http.joining import Joining
from app.http.problems import Problems
from app.http.reader import Reader
from app.http.reading import ClientGone, Frame, Reading
from app.http.shapes import reply_shape

PING = b": ping\n"
"""Only one line feed: some parsers turn a block without data into an event."""

_STORE_SECONDS = 3600.0
"""The status line always waits for the message to be stored: the store has its own time limit."""

STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


@dataclass(frozen=True, slots=True)
class Pacing:
    """When a stream sends something."""

    first_word_seconds: float
    """How long the status line waits for the first word."""
    heartbeat_seconds: float
    """How long a stream is silent before it sends a ping."""
    joining: Joining
    """Whether words wait for the next ones."""


def words_frame(tail: str, after: int, words: Sequence[str]) -> bytes:
    """A `Frame`, whose events end in `tail` and a number. Readers of a reply share it: they are told of words in turn.

    The id comes last, because some clients record it at the end of its line instead of the end of the event. (One is
    @microsoft/fetch-event-source 2.0.1: cut off between an id and its data, it would resume after a word it never got.)
    """
    global _last  # noqa: PLW0603 - the frame that the next reader of the same reply needs, too
    if _last[0] is words:
        return _last[1]
    frame = _framed(tail, after, words)
    _last = words, frame
    return frame


def tail_of(reply_id: str) -> str:
    """What the events of a reply's words share."""
    return f"\nid: {reply_id}:"


_last: tuple[Sequence[str], bytes] = ((), b"")


def _framed(tail: str, after: int, words: Sequence[str]) -> bytes:
    if len(words) == 1:  # as nearly always, if a model generates them
        word = words[0]
        if "\n" in word:
            word = word.replace("\n", _MORE_DATA)
        return f"data: {word}{tail}{after + 1}\n\n".encode()
    frame = "".join([f"data: {word}{tail}{n}\n\n" for n, word in enumerate(words, after + 1)])
    if frame.count("\n") > 3 * len(words):  # a word with a line break in it, which is rare
        frame = "".join(
            [f"data: {word.replace(_LF, _MORE_DATA)}{tail}{n}\n\n" for n, word in enumerate(words, after + 1)]
        )
    return frame.encode()


_LF = "\n"
_MORE_DATA = "\ndata: "


def end_frame(reply: RunningReply, end: End, problems: Problems) -> bytes:
    """The terminal event."""
    match end:
        case Done():
            return _terminal("done", reply_shape(reply.snapshot(), problems).model_dump_json())
        case Failed():
            return _terminal("failed", problems.of_reply(end.error, reply.snapshot()).model_dump_json())


def _terminal(event: str, data: str) -> bytes:
    """Some clients split lines at every Unicode line break, so these are escaped."""
    return f"event: {event}\ndata: {data if data.isascii() else data.translate(_ESCAPED)}\n\n".encode()


_ESCAPED = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def reply_headers(reply: RunningReply, location: Callable[[str], str]) -> list[tuple[bytes, bytes]]:
    """Headers that identify a reply before its first word: its URL, its id and its conversation's id."""
    return [(b"content-location", location(reply.reply_id).encode()), *id_headers(reply)]


def early_failure(reply: RunningReply, error: Exception, problems: Problems) -> Response:
    """The response for a reply that failed before its first word, with its ids if its message is stored."""
    if not reply.acknowledged or isinstance(error, AccessEnded | ReplyElsewhere):
        return problems.response(error)
    response = problems.response(error, reply.snapshot())
    response.raw_headers += id_headers(reply)
    return response


def id_headers(reply: RunningReply) -> list[tuple[bytes, bytes]]:
    """The ids of a reply and its conversation."""
    return [(b"reply-id", reply.reply_id.encode()), (b"conversation-id", reply.conversation_id.encode())]


def without_body(status: int, headers: Iterable[tuple[bytes, bytes]]) -> Response:
    """The response to HEAD where GET gets a stream with these headers of its own."""
    response = Response(status_code=status)
    response.raw_headers = [*STREAM_HEADERS, *headers]
    return response


class EventStream(Response):
    """Streams a reply. Owns one of its readers, and releases it when the response is over."""

    def __init__(self, reading: Reading, problems: Problems, pacing: Pacing, location: Callable[[str], str]) -> None:
        """`problems` are for a reply that fails; `location` returns the URL of a reply's stream."""
        self.background: BackgroundTask | None = None
        self._reading = reading
        self._problems = problems
        self._pacing = pacing
        self._location = location

    @staticmethod
    def head(status: int, reply: RunningReply, problems: Problems, location: Callable[[str], str]) -> Response:
        """A response to HEAD, from the current state of the reply."""
        if isinstance(reply.log.end, Failed) and not len(reply.log):
            return early_failure(reply, reply.log.end.error, problems)
        return without_body(status, reply_headers(reply, location))

    # What another protocol does in its own way:

    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """Headers that only a stream of this reply has."""
        return reply_headers(self._reading.reply, self._location)

    def begin_frame(self) -> bytes:
        """What comes before the first word."""
        return b""

    def words_frame(self) -> tuple[Frame, str]:
        """What makes the events of words, and what it needs for that."""
        return words_frame, tail_of(self._reading.reply.reply_id)

    def end_frame(self, end: End) -> bytes:
        """The terminal event."""
        return end_frame(self._reading.reply, end, self._problems)

    def refusal(self, error: Exception) -> Response:
        """The response for a reply that failed before its first word."""
        return early_failure(self._reading.reply, error, self._problems)

    def whole(self, error: Exception) -> Response:
        """The response for a reply that has failed to a client that is to see its end as one of a stream."""
        end = self._reading.reply.log.end
        if end is None or isinstance(error, AccessEnded | ReplyElsewhere):
            return early_failure(self._reading.reply, error, self._problems)
        response = Response(self.begin_frame() + self.end_frame(end))
        response.raw_headers = [*STREAM_HEADERS, *self.own_headers()]
        return response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the first word, an early failure, or the time limit; then commit to a status and stream."""
        try:
            patience_seconds = self._pacing.first_word_seconds
            async with Reader(self._reading, scope, receive, patience_seconds, self._pacing.joining) as reader:
                words, end = await self._first(reader)
                if isinstance(end, Failed) and not reader.position:
                    response = self.refusal(end.error)
                    await response(scope, receive, send)
                    return
                headers = [*STREAM_HEADERS, *self.own_headers()]
                await send({"type": "http.response.start", "status": scope["route"].status_code, "headers": headers})
                frame, common = self.words_frame()
                reader.write_as(frame, common)
                await self._stream(reader, words, end, send)
        except ClientGone:
            pass
        finally:
            self._reading.leave()

    async def _first(self, reader: Reader) -> tuple[Sequence[str], End | None]:
        """What is available when the status line need not wait any longer; never before the message is stored."""
        words: Sequence[str] = ()
        end: End | None = None
        is_due = False
        while not words and end is None and not (is_due and self._reading.reply.acknowledged):
            if is_due:
                reader.wait_for(_STORE_SECONDS)
            words, end = await reader.read()
            is_due = is_due or reader.is_overdue
        return words, end

    async def _stream(self, reader: Reader, words: Sequence[str], end: End | None, send: Send) -> None:
        heartbeat_seconds = self._pacing.heartbeat_seconds
        begin = self.begin_frame()
        while True:
            frame = begin + (reader.framed(words) if words else b"")
            begin = b""
            if isinstance(end, Failed) and isinstance(end.error, ReplyElsewhere):
                reader.cut_off()  # it goes on, but not here: what has no end is resumed
                await send({"type": "http.response.body"})
                return
            if end is not None:
                if words:
                    reader.note_sent()
                frame += self.end_frame(end)
                await send({"type": "http.response.body", "body": frame})
                return
            await send({"type": "http.response.body", "body": frame or PING, "more_body": True})
            if words:
                reader.note_sent()
            reader.wait_for(heartbeat_seconds)
            words, end = await reader.read()
