"""The AI SDK's UI message stream: `start text-start text-delta* (text-end finish | error) [DONE]`.

Chunks are compact JSON in ASCII without absent fields: some clients look for `"type":"finish"`, and `null` breaks them.
Events have no ids, because no client of this protocol sends one back: a stream that is read again begins anew.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from app.chat.model import Done, End, Failed
from app.chat.running import RunningReply
from app.http.problems import Problems
from app.http.reading import Frame, Reading
from app.http.sse import EventStream, Pacing, id_headers, without_body

_DONE = b"data: [DONE]\n\n"
_REASONS = {"stop": "stop", "length": "length", "content_filter": "content-filter"}
_TEXT = {"id": "text"}
_VERSION = (b"x-vercel-ai-ui-message-stream", b"v1")


class UiStream(EventStream):
    """Streams a reply as chunks."""

    def __init__(self, reading: Reading, problems: Problems, pacing: Pacing, *, is_again: bool = False) -> None:
        """`is_again`: whether the client only looks whether something is running."""
        super().__init__(reading, problems, pacing, lambda _: "")
        self._reply = reading.reply
        self._is_again = is_again

    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """The protocol, and the ids of the reply."""
        return _headers(self._reply)

    def begin_frame(self) -> bytes:
        """The message, and its text."""
        start = {"type": "start", "messageId": self._reply.reply_id, "messageMetadata": _metadata(self._reply)}
        return _chunk(start) + _chunk({"type": "text-start", **_TEXT})

    def words_frame(self) -> tuple[Frame, str]:
        """One chunk for all words that are ready."""
        return _words_frame, '{"type":"text-delta","id":"text","delta":'

    def end_frame(self, end: End) -> bytes:
        """The end of the text and of the message, or the error."""
        match end:
            case Done():
                reason = _REASONS.get(end.finish_reason, "other")
                metadata = _metadata(self._reply) | {"finish_reason": end.finish_reason}
                if (usage := end.usage) is not None:
                    metadata["usage"] = asdict(usage)
                finish = {"type": "finish", "finishReason": reason, "messageMetadata": metadata}
                return _chunk({"type": "text-end", **_TEXT}) + _chunk(finish) + _DONE
            case Failed():
                return _chunk({"type": "error", "errorText": self._problems.of(end.error).detail}) + _DONE

    def refusal(self, error: Exception) -> Response:
        """A page that is loaded again is shown what became of its message; its chat is not in error for that."""
        return self.whole(error) if self._is_again else super().refusal(error)


def _words_frame(before: str, _: int, words: Sequence[str]) -> bytes:
    return f"data: {before}{json.dumps(''.join(words))}}}\n\n".encode("ascii")


def head(status: int, reply: RunningReply) -> Response:
    """A response to HEAD."""
    return without_body(status, _headers(reply))


def _headers(reply: RunningReply) -> list[tuple[bytes, bytes]]:
    return [_VERSION, *id_headers(reply)]


def _metadata(reply: RunningReply) -> dict[str, Any]:
    return {"reply_id": reply.reply_id, "conversation_id": reply.conversation_id}


def _chunk(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, separators=(',', ':'))}\n\n".encode("ascii")
