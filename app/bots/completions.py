"""Parses the body of a chat completion, split anywhere. The first byte decides the format, not the `Content-Type`.

Either Server-Sent Events with a JSON chunk each, or JSON from an engine that does not stream. Lenient about form,
because engines differ: any line ending, comments, empty or unknown events, keep-alives in place of chunks, no `[DONE]`.

Source: HTML Living Standard, section 9.2 (Server-Sent Events).
"""

import json

from pydantic_core import from_json

from app.bots.alike import Alike
from app.bots.chunks import LOOK, WRONG_PLACE, Completion
from app.bots.complaints import error_in
from app.bots.dialects import KEEP_ALIVE_EVENTS, is_keep_alive
from app.bots.trouble import Trouble
from app.chat.errors import BotFailed

MAX_EVENT_BYTES = 2**20
"""A longer event or line is invalid; this bounds the buffer."""

_MAX_JSON_BYTES = 2**22
_BLANK = b"\xef\xbb\xbf \t\r\n"
"""What may precede the first significant byte: a byte order mark, and blank lines sent as keep-alive."""

_DONE = frozenset({b"DONE", b'"[DONE]"', b"[done]", b"done"})
"""Variants of `[DONE]`."""

_CHUNK_EVENTS = frozenset({b"", b"message"})


class CompletionReader:
    """Parses the body of one response."""

    def __init__(self) -> None:
        """Start before the first piece."""
        self.completion = Completion()
        """What has been parsed so far."""
        self.is_over = False
        """Whether the engine has marked the end of the stream, or the body has ended."""
        self.failure: Trouble | None = None
        """An error that follows the text returned last, and ends it."""
        self._is_json: bool | None = None  # known from the first byte on
        self._after_cr = False
        self._rest: list[bytes] = []  # an incomplete line or JSON object
        self._rest_bytes = 0
        self._data: list[bytes] = []  # data lines of an incomplete event
        self._data_bytes = 0
        self._event = b""
        self._alike = Alike()
        self._ending = b""
        """What ends a line and an event, if the last piece ended with it, and nothing is left of that."""

    def feed(self, piece: bytes) -> str:
        """The text that the next piece of the body completes, if any.

        Raises `Trouble` for an error that the engine reports, and for anything that is not a chat completion.
        """
        said = self.completion
        if self._ending and said.reason is None and (text := self._alike.text(piece)) is not None:
            return said.add(text)
        if self._is_json is None:
            piece = self._begin(piece)
        try:
            if self._is_json:
                self._hold(piece, _MAX_JSON_BYTES)
            elif self._is_json is False:
                self._ending = b"\r\n\r\n" if piece.endswith(b"\r\n\r\n") else b"\n\n"
                for line in self._lines(piece):
                    self._line(line)
                if self._rest or self._data or self._event or self._after_cr or self.is_over:
                    self._ending = b""
        except Trouble as trouble:
            if not said.text:
                raise
            self.failure = trouble  # readers get the text before it first
        return said.taken()

    def close(self) -> str:
        """End the body. The text of a last line or event without its line ending, if it is complete otherwise."""
        if self._is_json:
            self._objects(b"".join(self._rest))
        else:
            for line in b"".join(self._rest).splitlines():
                self._line(line)
            self._dispatch()
        self.is_over = True
        return self.completion.taken()

    def _begin(self, piece: bytes) -> bytes:
        """Strip leading blanks; the first byte after them decides the format."""
        rest = piece.lstrip(_BLANK)
        self._rest_bytes += len(piece) - len(rest)
        if self._rest_bytes > MAX_EVENT_BYTES:
            raise Trouble(BotFailed(), "its response is blank", LOOK)
        if not rest:
            return b""
        self._rest_bytes = 0
        match rest[:1]:
            case b"{" | b"[":
                self._is_json = True
            case b"<":
                raise Trouble(BotFailed(), "it answered with a web page", WRONG_PLACE)
            case b"\x1f":
                raise Trouble(BotFailed(), "its response is compressed, which was not requested", LOOK)
            case _:
                self._is_json = False
        return rest

    def _objects(self, body: bytes) -> None:
        """One JSON object, or one per line, from engines that do not send Server-Sent Events."""
        try:
            chunks = [_parsed(body)]
        except ValueError:
            try:
                chunks = [_parsed(line) for line in body.splitlines() if line.strip()]
            except ValueError:
                raise Trouble(BotFailed(), "its response is invalid JSON", LOOK) from None
        for chunk in chunks:
            match chunk:
                case dict():
                    self.completion.take(chunk)
                case [dict() as only] if error_in(only) is not None:  # Gemini's form
                    self.completion.fail(only)
                case _:
                    self.completion.refuse()

    def _hold(self, rest: bytes, most: int = MAX_EVENT_BYTES) -> None:
        self._rest.append(rest)
        self._rest_bytes += len(rest)
        if self._rest_bytes > most:
            raise Trouble(BotFailed(), f"a part of its response is longer than {most} bytes", LOOK)

    def _lines(self, piece: bytes) -> list[bytes]:
        """The lines that the piece completes."""
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if b"\n" not in piece and b"\r" not in piece:
            self._hold(piece)
            return []
        self._after_cr = piece.endswith(b"\r")
        lines = b"".join([*self._rest, piece]).splitlines() if self._rest else piece.splitlines()
        self._rest.clear()
        self._rest_bytes = 0
        if not piece.endswith((b"\n", b"\r")):
            self._hold(lines.pop())
        return lines

    def _line(self, line: bytes) -> None:
        if not line:
            self._dispatch()
        elif line.startswith(b"data:"):
            self._data.append(line[5:])
            self._data_bytes += len(line)
            if self._data_bytes > MAX_EVENT_BYTES:
                raise Trouble(BotFailed(), f"an event is longer than {MAX_EVENT_BYTES} bytes", LOOK)
        elif line.startswith(b"event:"):
            self._event = line[6:].strip()

    def _dispatch(self) -> None:
        if self._data and not self.is_over:
            data = (self._data[0] if len(self._data) == 1 else b"\n".join(self._data)).strip()
            if data == b"[DONE]":
                self.is_over = True
            elif data and (not self._event or self._event not in KEEP_ALIVE_EVENTS):
                self._take(data)
        self._data.clear()
        self._data_bytes = 0
        self._event = b""

    def _take(self, data: bytes) -> None:
        chunk: object
        try:
            chunk = _parsed(data)
        except ValueError:
            chunk = data.decode("utf-8", "replace")
        if self._event == b"error":
            self.completion.fail(chunk)
        elif isinstance(chunk, dict):
            said = self.completion
            before = len(said.text)
            said.take(chunk)
            if len(said.text) > before and said.reason is None and not self._event and len(self._data) == 1:
                self._alike.learn(self._data[0], self._ending, chunk)
        elif data in _DONE:
            self.is_over = True
        elif self._event in _CHUNK_EVENTS and not is_keep_alive(data):
            self.completion.refuse()


def _parsed(data: bytes) -> object:
    """JSON. Raises `ValueError`."""
    try:
        chunk: object = from_json(data)
    except ValueError:
        try:
            chunk = json.loads(data)  # slower, but accepts lone surrogates, which some engines send
        except RecursionError:
            raise ValueError from None
    return chunk
