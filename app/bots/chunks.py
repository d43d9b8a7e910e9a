"""What the chunks of a chat completion say: text, how it ended, and what it has cost. Knows nothing of bytes.

Strict about the end: only a finish reason is one, and only if no text comes behind it. Nothing that comes behind the
end can make a whole text fail.

Source: OpenAI's API reference, "Chat completion chunk".
"""

from typing import Any

from app.bots.complaints import error_in, understood
from app.bots.dialects import NOT_YET, Meaning, finish_reason, usage
from app.bots.trouble import Trouble, complained
from app.chat.errors import BotFailed
from app.chat.model import Finish, FinishReason, Usage

LOOK = "check the engine's log"
WRONG_PLACE = "check CHAT_OPENAI_BASE_URL, which ends in /v1 for most"

_FAILURES = frozenset(
    {"tool_calls", "function_call", "tool_use", "abort", "aborted", "error", "cancelled", "network_error"}
)
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_ENDS: dict[Meaning, FinishReason] = {Meaning.FILTERED: "content_filter", Meaning.TOO_LONG: "length"}
"""Errors behind some text that are but another way to end it."""


class Completion:
    """Grows by a chunk at a time."""

    def __init__(self) -> None:
        """Nothing is said yet."""
        self.reason: FinishReason | None = None
        self.usage: Usage | None = None
        self.words = 0
        """About how many there were so far."""
        self.has_spoken = False
        self.has_begun = False
        """Whether there was any chunk, be it a thought."""
        self.has_thought = False
        self.awaits_usage = False
        """Whether nothing but the usage may come: not behind a reason that came with text, as some say it each time."""
        self.text: list[str] = []
        """What was said and not taken yet."""
        self._is_disproved = False  # text came behind a finish reason
        self._whole = ""  # of messages that were no deltas

    @property
    def is_whole(self) -> bool:
        """Whether there is an end that nothing has disproved: then whatever follows does not matter."""
        return self.reason is not None and not self._is_disproved

    def taken(self) -> str:
        """The text that is new."""
        if not self.text:
            return ""
        text = "".join(self.text)
        self.text.clear()
        self.has_spoken = True
        self.words += text.count(" ") or 1
        return text

    def finish(self) -> Finish:
        """How it ended. Raises `Trouble` if it did not: then it was cut off."""
        if self.reason is None:
            what = "its answer ended without a finish reason" if self.has_begun else "its answer was empty"
            raise Trouble(BotFailed(), what, LOOK, is_empty=not (self.has_spoken or self.has_thought))
        return Finish(self.reason, self.usage)

    def take(self, chunk: dict[str, Any]) -> None:
        """One more chunk. Raises `Trouble` for an error, and for JSON of another shape."""
        if ("choices" not in chunk or chunk.get("error")) and (error := error_in(chunk)) is not None:
            self.fail(error)
            return
        try:
            self._take(chunk)
        except (AttributeError, KeyError, TypeError):
            self.refuse()

    def fail(self, error: object) -> None:
        """The engine says that something is wrong. Raises `Trouble`, unless that is an end, or comes behind it."""
        if self.is_whole:
            return
        said = understood(None, error)
        has_text = self.has_spoken or bool(self.text)
        if has_text and said.meaning in _ENDS:
            self.reason = _ENDS[said.meaning]
            self._is_disproved = False
            return
        raise complained(said, "it broke off with an error" if has_text else "it gave an error")

    def refuse(self) -> None:
        """There is something that is no chunk. Raises `Trouble`, unless it comes behind the end."""
        if not self.is_whole:
            raise Trouble(BotFailed(), "a part of its answer is no chunk of a chat completion", WRONG_PLACE)

    def _take(self, chunk: dict[str, Any]) -> None:
        choices = chunk.get("choices")
        if not choices or chunk.get("usage") is not None:
            self.usage = usage(chunk) or self.usage
        for choice in choices or ():
            if choice.get("index"):
                continue  # one answer was asked for
            self.has_begun = True
            has_text = False
            if delta := choice.get("delta"):
                has_text = self._say(delta.get("content"))
                if refusal := delta.get("refusal"):
                    has_text = self._say(refusal) or has_text
                if not (has_text or self.has_thought):
                    self.has_thought = any(isinstance(delta.get(name), str) and delta[name] for name in _THOUGHTS)
            if not has_text and "message" in choice:
                has_text = self._say_whole(choice["message"])
            if has_text and self.reason is not None:
                self._is_disproved = True
                self.awaits_usage = False
            if reason := choice.get("finish_reason"):
                self._end(reason, choice, chunk, with_text=has_text)

    def _end(self, said: str, choice: dict[str, Any], chunk: dict[str, Any], *, with_text: bool) -> None:
        if said.lower() in NOT_YET:
            return
        self.usage = usage(choice) or usage(chunk) or self.usage
        if (reason := finish_reason(said)) is not None:
            if self.reason is None or with_text or self._is_disproved:
                self.reason = reason
            self.awaits_usage = not (with_text or self._is_disproved)
        elif choice.get("error"):
            self.fail(choice["error"])
        elif not self.is_whole:
            name = f"`{said.lower()}`" if said.lower() in _FAILURES else "unknown"
            raise Trouble(BotFailed(), f"its finish reason is {name}, which is no end of a text", LOOK)

    def _say(self, content: object) -> bool:
        """Returns whether there is text in it."""
        if isinstance(content, str):
            if content:
                self.text.append(content)
                return True
        elif isinstance(content, list):  # of parts, of which the text is one kind
            texts = [part["text"] for part in content if isinstance(part.get("text"), str)]
            self.text += texts
            return any(texts)
        return False

    def _say_whole(self, message: dict[str, Any] | None) -> bool:
        """A message counts only where no delta gave text; where it grows, only by what is new in it."""
        if not message or ((self.has_spoken or self.text) and not self._whole):
            return False
        before = len(self.text)
        self._say(message.get("content"))
        self._say(message.get("refusal"))
        new = "".join(self.text[before:]).removeprefix(self._whole)
        del self.text[before:]
        self._whole += new
        return self._say(new)
