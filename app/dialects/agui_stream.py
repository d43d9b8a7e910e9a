"""AG-UI, on the way out: a reply as the events of a run.

`RUN_STARTED TEXT_MESSAGE_START TEXT_MESSAGE_CONTENT* (TEXT_MESSAGE_END RUN_FINISHED | RUN_ERROR)`

Events are compact JSON in ASCII without absent fields: `null` and CR LF break their clients. Each but the last has an
id, from which `Position` goes on. It comes before the data: TanStack's client takes an id for that of the next data.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import Response

from app.chat import model
from app.chat.errors import AccessEnded
from app.chat.model import Done, End, Failed
from app.chat.running import STOPPED, RunningReply
from app.dialects.agui import Position
from app.http.problems import Problems
from app.http.reading import Frame, Reading
from app.http.sse import EventStream, Pacing, id_headers, without_body

_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Run:
    """What a client calls it."""

    thread_id: str
    run_id: str


class RunStream(EventStream):
    """Streams a reply as the events of a run."""

    def __init__(  # noqa: PLR0913 - what is read, how it is said, and what its client knows
        self,
        reading: Reading,
        problems: Problems,
        pacing: Pacing,
        run: Run,
        position: Position | None = None,
        *,
        is_again: bool = False,
    ) -> None:
        """`position` is what the client has already; `is_again` is whether it asks for a run that there has been."""
        if is_again:  # it starts with no status but 200, and TanStack's client gives up after two seconds of silence
            pacing = replace(pacing, first_word_seconds=0)
        super().__init__(reading, problems, pacing, lambda _: "")
        self._reply = reading.reply
        self._run = {"threadId": run.thread_id, "runId": run.run_id}
        self._position = position
        self._is_again = is_again

    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """The ids of the reply."""
        return id_headers(self._reply)

    def begin_frame(self) -> bytes:
        """The run, and its message."""
        frame = b""
        if self._position is None:
            created_ms = self._reply.record.created_ms
            started = {"type": "RUN_STARTED", **self._run, "protocolVersion": _VERSION, "timestamp": created_ms}
            frame += self._event(started, "start")
        if self._position is None or not self._position.has_text_start:
            metadata = {"reply_id": self._reply.reply_id, "conversation_id": self._reply.conversation_id}
            frame += self._event(self._text("START", role="assistant", metadata=metadata), "0")
        return frame

    def words_frame(self) -> tuple[Frame, str]:
        """One event for all words that are ready."""
        return _words_frame, self._reply.reply_id

    def end_frame(self, end: End) -> bytes:
        """The end of the text and of the run, or the error."""
        match end:
            case Done():
                outcome = {"type": "cancelled" if end.finish_reason in STOPPED else "success"}
                finished = {"type": "RUN_FINISHED", **self._run, "outcome": outcome, **_usage(end.usage)}
                return self._text_end(end) + self._event(finished)
            case Failed():
                problem = self._problems.of(end.error)
                code = problem.type.removeprefix("urn:problem:")
                is_about_the_reader = isinstance(end.error, AccessEnded)
                usage = None if is_about_the_reader else self._reply.snapshot().usage
                return self._event({"type": "RUN_ERROR", "message": problem.detail, "code": code, **_usage(usage)})

    def refusal(self, error: Exception) -> Response:
        """A client that knows that the run has begun gets the event that ends it."""
        has_begun = self._is_again or self._position is not None
        return self.whole(error) if has_begun else super().refusal(error)

    def _text_end(self, end: Done) -> bytes:
        words = len(self._reply.log)
        if self._position is not None and self._position.has_text_end and self._position.words == words:
            return b""
        return self._event(self._text("END", metadata={"finish_reason": end.finish_reason}), f"{words}:end")

    def _text(self, kind: str, **fields: object) -> dict[str, object]:
        return {"type": f"TEXT_MESSAGE_{kind}", "messageId": self._reply.reply_id, **fields}

    def _event(self, value: dict[str, Any], place: str | None = None) -> bytes:
        head = f"id: {self._reply.reply_id}:{place}\n" if place is not None else ""
        return f"{head}data: {json.dumps(value, separators=(',', ':'))}\n\n".encode("ascii")


def _words_frame(reply_id: str, after: int, words: Sequence[str]) -> bytes:
    content = f'{{"type":"TEXT_MESSAGE_CONTENT","messageId":"{reply_id}","delta":{json.dumps("".join(words))}}}'
    return f"id: {reply_id}:{after + len(words)}\ndata: {content}\n\n".encode("ascii")


def head(status: int, reply: RunningReply) -> Response:
    """A response to HEAD."""
    return without_body(status, id_headers(reply))


def _usage(usage: model.Usage | None) -> dict[str, object]:
    if usage is None:
        return {}
    sent, got = usage.prompt_tokens, usage.completion_tokens
    return {"usage": [{"inputTokens": sent, "outputTokens": got, "totalTokens": sent + got}]}
