"""OpenAI's Chat Completions, on the way out: `role content* (finish usage? [DONE] | error)`, or one JSON object.

Chunks are JSON in ASCII: some clients split lines at every Unicode line break. Nothing but chunks is sent as data, no
event has an id, and no comment an empty line of its own: OpenAI's SDK for Python fails to parse those.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import MISSING
from starlette.responses import Response

from app.chat import model
from app.chat.model import Done, End, Failed
from app.chat.running import RunningReply
from app.dialects.openai import OpenAIProblems
from app.http.finished import FinishedReply
from app.http.reading import Frame, Reading
from app.http.sse import EventStream, Pacing
from generated.models import ChatCompletion, ChatCompletionChoice, ChatCompletionReply, CompletionUsage

_DONE = b"data: [DONE]\n\n"
_REASONS = {"stop", "length", "content_filter"}


@dataclass(frozen=True, slots=True)
class Wording:
    """How completions are written."""

    problems: OpenAIProblems
    model: str
    """The model's name."""


class CompletionStream(EventStream):
    """Streams a reply as chunks."""

    def __init__(self, reading: Reading, wording: Wording, pacing: Pacing, *, with_usage: bool) -> None:
        """`with_usage`: whether to send the usage, if there is one."""
        super().__init__(reading, wording.problems, pacing, lambda _: "")
        self._errors = wording.problems
        self._with_usage = with_usage
        reply = reading.reply
        head = {
            "id": _completion_id(reply),
            "object": "chat.completion.chunk",
            "created": _created_seconds(reply),
            "model": wording.model,
        }
        self._head = f"data: {_compact(head)[:-1]},"

    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """None: the reply has no address."""
        return []

    def begin_frame(self) -> bytes:
        """The role."""
        return self._chunk({"role": "assistant", "content": ""})

    def words_frame(self) -> tuple[Frame, str]:
        """One chunk for all words that are ready."""
        return _words_frame, f'{self._head}"choices":[{{"index":0,"delta":{{"content":'

    def end_frame(self, end: End) -> bytes:
        """The finish reason, the usage and `[DONE]`; or the error."""
        match end:
            case Done():
                frame = self._chunk({}, _reason(end.finish_reason))
                if self._with_usage and (usage := _usage(end.usage)) is not MISSING:
                    frame += f'{self._head}"choices":[],"usage":{usage.model_dump_json()}}}\n\n'.encode("ascii")
                return frame + _DONE
            case Failed():
                return f"data: {self._errors.text(self._errors.of(end.error))}\n\n".encode("ascii")

    def refusal(self, error: Exception) -> Response:
        """The error alone: there is no reply to read again."""
        return self._errors.response(error)

    def _chunk(self, delta: dict[str, str], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return f'{self._head}"choices":[{_compact(choice)}]}}\n\n'.encode("ascii")


class FinishedCompletion(FinishedReply):
    """A reply as one JSON object."""

    def __init__(self, reading: Reading, wording: Wording) -> None:
        """Waits for the reply's end when it is called."""
        super().__init__(reading, wording.problems, lambda _: "")
        self._reply = reading.reply
        self._wording = wording

    def text(self) -> str:
        """The completion."""
        reply = self._reply.snapshot()
        message = ChatCompletionReply(role="assistant", content=reply.text)
        choice = ChatCompletionChoice(index=0, message=message, finish_reason=_reason(reply.finish_reason))
        return ChatCompletion(
            id=_completion_id(self._reply),
            object="chat.completion",
            created=_created_seconds(self._reply),
            model=self._wording.model,
            choices=[choice],
            usage=_usage(reply.usage),
        ).model_dump_json()

    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """None: the reply has no address."""
        return []

    def refusal(self, error: Exception) -> Response:
        """The error alone: there is no reply to read again."""
        return self._wording.problems.response(error)


def _words_frame(before: str, _: int, words: Sequence[str]) -> bytes:
    return f'{before}{json.dumps("".join(words))}}},"finish_reason":null}}]}}\n\n'.encode("ascii")


def _completion_id(reply: RunningReply) -> str:
    return f"chatcmpl-{reply.reply_id}"


def _created_seconds(reply: RunningReply) -> int:
    return reply.record.created_ms // 1000


def _reason(reason: str | None) -> str:
    """A reply that was stopped has no reader, so nobody sees its reason."""
    return reason if reason in _REASONS else "stop"


def _usage(usage: model.Usage | None) -> CompletionUsage | MISSING:
    if usage is None:
        return MISSING
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
