"""Reads a chat completion as engines stream it: Server-Sent Events with a JSON chunk each, cut into pieces anywhere.

Lenient about form, for engines differ: any line ending, comments, empty or foreign chunks, no final `[DONE]`. Strict
about the end: only a finish reason is one. Text without it was cut off, whatever came after it.

Source: OpenAI's API reference, "Chat completion chunk"; HTML Living Standard, section 9.2 (Server-Sent Events).
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from app.chat.errors import BotFailed, BotRateLimited, BotTimeout, BotUnavailable, ChatError
from app.chat.model import Finish, FinishReason, Usage

MAX_EVENT_BYTES = 2**20
"""An engine that sends a longer event, or line, talks nonsense; what is kept of one is bounded."""

_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
"""Others (`tool_calls`, `abort`, ...) are no end of a text that was asked for."""

_MOST_TOKENS = 2**53 - 1


class CompletionReader:
    """Feeds on the body of one response. What it learns besides the text is in its attributes."""

    def __init__(self) -> None:
        """Start before the first piece."""
        self.reason: FinishReason | None = None
        self.usage: Usage | None = None
        self.is_over = False
        """Whether the engine has said that no more comes."""
        self.failure: ChatError | None = None
        """What follows the text that was fed last, and ends it."""
        self._begun = False
        self._after_cr = False
        self._rest: list[bytes] = []  # of a line whose end has not come
        self._rest_bytes = 0
        self._data: list[bytes] = []  # of an event whose end has not come
        self._data_bytes = 0
        self._event = b""
        self._text: list[str] = []
        self._heard = False

    def feed(self, piece: bytes) -> str | None:
        """The text that the next piece of the body completes; `None` if there is nothing of the model's in it.

        Raises a `ChatError` for an error that the engine reports, and for what is no chat completion.
        """
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if b"\n" not in piece and b"\r" not in piece:
            self._hold(piece)
            return None
        self._after_cr = piece.endswith(b"\r")
        lines = b"".join([*self._rest, piece]).splitlines()
        self._rest.clear()
        self._rest_bytes = 0
        if not piece.endswith((b"\n", b"\r")):
            self._hold(lines.pop())
        try:
            for line in lines:
                self._line(line)
        except ChatError as error:
            if not any(self._text):
                raise
            self.failure = error  # what was said before is the reader's
        return self._taken()

    def close(self) -> str | None:
        """The body is over: the text of an event that had no end, if it is whole otherwise."""
        for line in b"".join(self._rest).splitlines():
            self._line(line)
        self._dispatch()
        return self._taken()

    def whole(self, body: bytes) -> str | None:
        """The text of a body that is one JSON object: an engine that does not stream."""
        self._take(_parsed(body))
        return self._taken()

    def finish(self) -> Finish:
        """How it ended. Raises `BotFailed` if it did not: then it was cut off."""
        if self.reason is None:
            raise BotFailed
        return Finish(self.reason, self.usage)

    def _hold(self, rest: bytes) -> None:
        self._rest.append(rest)
        self._rest_bytes += len(rest)
        if self._rest_bytes > MAX_EVENT_BYTES:
            raise BotFailed

    def _taken(self) -> str | None:
        text = "".join(self._text) if self._heard else None
        self._text.clear()
        self._heard = False
        return text

    def _line(self, line: bytes) -> None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark
        if not line:
            self._dispatch()
        elif line.startswith(b"data:"):
            self._data.append(line[5:])
            self._data_bytes += len(line)
            if self._data_bytes > MAX_EVENT_BYTES:
                raise BotFailed
        elif line.startswith(b"event:"):
            self._event = line[6:].strip()

    def _dispatch(self) -> None:
        if self._data and not self.is_over:
            data = b"\n".join(self._data).strip()
            if data == b"[DONE]":
                self.is_over = True
            elif data:
                self._take(_parsed(data), is_error=self._event == b"error")
        self._data.clear()
        self._data_bytes = 0
        self._event = b""

    def _take(self, chunk: dict[str, Any], *, is_error: bool = False) -> None:
        self._heard = True
        if is_error or chunk.get("error"):
            raise reported(chunk.get("error") or chunk)
        try:
            self._chunk(chunk)
        except (AttributeError, KeyError, TypeError):
            raise BotFailed from None  # JSON of another shape

    def _chunk(self, chunk: dict[str, Any]) -> None:
        if (usage := chunk.get("usage")) is not None:
            self.usage = _usage(usage) or self.usage
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue  # one answer was asked for
            said = choice.get("delta") or choice.get("message")
            if said:
                self._say(said.get("content"))
                self._say(said.get("refusal"))
            if (reason := choice.get("finish_reason")) and self.reason is None:  # some have "" until the end
                self.reason = _REASONS.get(reason)
                if self.reason is None:
                    raise BotFailed

    def _say(self, content: object) -> None:
        if isinstance(content, str):
            self._text.append(content)
        elif isinstance(content, list):  # of parts, of which the text is one kind
            self._text += [part["text"] for part in content if isinstance(part.get("text"), str)]


def reported(error: object) -> ChatError:
    """What the engine's error object, or its status, stands for. Nothing of its text is kept."""
    code = error.get("code") or error.get("status") if isinstance(error, dict) else error
    try:
        status = int(code)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        return BotFailed()
    match status:
        case 408 | 504:
            return BotTimeout()
        case 429:
            return BotRateLimited()
        case 503 | 529:
            return BotUnavailable()
        case _:
            return BotFailed()


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        try:
            chunk = from_json(data)
        except ValueError:
            chunk = json.loads(data)  # slower, and takes half of an emoji, which some engines send
    except (ValueError, RecursionError):
        raise BotFailed from None
    if not isinstance(chunk, dict):
        raise BotFailed
    return chunk


def _usage(usage: object) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if type(prompt) is not int or type(completion) is not int:
        return None
    if not (0 <= prompt <= _MOST_TOKENS and 0 <= completion <= _MOST_TOKENS):
        return None
    return Usage(prompt, completion)
