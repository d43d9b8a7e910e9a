"""Accumulates the chunks of a chat completion: text, finish reason and usage. Knows nothing about bytes.

Strict about the end: only a finish reason counts, and only if no text follows it. Nothing after the end can make a
complete text fail.

Source: OpenAI's API reference, "Chat completion chunk".
"""

from typing import Any

from app.bots.complaints import error_in, understood
from app.bots.dialects import NOT_YET, Meaning, finish_reason, usage
from app.bots.trouble import Trouble, complained
from app.chat.errors import BotFailed
from app.chat.model import Finish, FinishReason, Usage
from app.chat.white_space import WHITE_SPACE

LOOK = "check the engine's log"
WRONG_PLACE = "check CHAT_OPENAI_BASE_URL, which ends in /v1 for most"

_FAILURES = frozenset(
    {"tool_calls", "function_call", "tool_use", "abort", "aborted", "error", "cancelled", "network_error"}
)
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_ENDS: dict[Meaning, FinishReason] = {Meaning.FILTERED: "content_filter", Meaning.TOO_LONG: "length"}
"""Errors after some text that merely end it."""
_BLANK = WHITE_SPACE + "\0"
"""What a reply does not begin with: `app.chat.text` drops it, so nothing has been said yet."""


class Completion:
    """A completion, built chunk by chunk."""

    def __init__(self) -> None:
        """Start empty."""
        self.reason: FinishReason | None = None
        self.usage: Usage | None = None
        self.words = 0
        """Approximate number of words so far."""
        self.has_spoken = False
        """Whether `taken` has returned more than white space."""
        self.has_begun = False
        """Whether there was any chunk, even if only of reasoning."""
        self.has_thought = False
        self.awaits_usage = False
        """Whether only the usage may follow. Not after a reason sent with text: some engines send one in each chunk."""
        self.text: list[str] = []
        """Text that `taken` has not returned yet."""
        self._is_disproved = False  # text came after a finish reason
        self._whole = ""  # the text from whole messages (not deltas)

    @property
    def is_whole(self) -> bool:
        """Whether a finish reason has come without any text after it: then whatever follows does not matter."""
        return self.reason is not None and not self._is_disproved

    @property
    def _has_text(self) -> bool:
        return self.has_spoken or _is_said("".join(self.text))

    def taken(self) -> str:
        """The text since the last call."""
        if not self.text:
            return ""
        text = "".join(self.text)
        self.text.clear()
        self.has_spoken = self.has_spoken or _is_said(text)
        self.words += text.count(" ") or 1
        return text

    def add(self, text: str) -> str:
        """Add chunks with nothing but this text, to a response without a finish reason so far. Returns the text."""
        self.text.append(text)
        return self.taken()

    def finish(self) -> Finish:
        """How it ended. Raises `Trouble` if there was no end: then it was cut off."""
        if self.reason is None:
            what = "its response ended without a finish reason" if self.has_begun else "its response was empty"
            raise Trouble(BotFailed(), what, LOOK, is_empty=not (self.has_spoken or self.has_thought))
        return Finish(self.reason, self.usage)

    def take(self, chunk: dict[str, Any]) -> None:
        """Add a chunk. Raises `Trouble` for an error, and for JSON of another shape."""
        if ("choices" not in chunk or chunk.get("error")) and (error := error_in(chunk)) is not None:
            self.fail(error)
            return
        try:
            self._take(chunk)
        except (AttributeError, KeyError, TypeError):
            self.refuse()

    def fail(self, error: object) -> None:
        """Handle an error from the engine. Raises `Trouble`, unless it merely ends the text or comes after the end."""
        if self.is_whole:
            return
        said = understood(None, error)
        has_text = self._has_text
        if has_text and said.meaning in _ENDS:
            self.reason = _ENDS[said.meaning]
            self._is_disproved = False
            return
        raise complained(said, "it broke off with an error" if has_text else "it returned an error")

    def refuse(self) -> None:
        """Handle something that is not a chunk. Raises `Trouble`, unless it comes after the end."""
        if not self.is_whole:
            raise Trouble(BotFailed(), "its response contains what is not a chat completion chunk", WRONG_PLACE)

    def _take(self, chunk: dict[str, Any]) -> None:
        choices = chunk.get("choices")
        if not choices or chunk.get("usage") is not None:
            self.usage = usage(chunk) or self.usage
        for choice in choices or ():
            if choice.get("index"):
                continue  # only one choice was requested
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
            raise Trouble(BotFailed(), f"its finish reason is {name}, which does not end a text", LOOK)

    def _say(self, content: object) -> bool:
        """Add content. Returns whether it has text."""
        if isinstance(content, str):
            if content:
                self.text.append(content)
                return True
        elif isinstance(content, list):  # content parts, some of which are text
            texts = [part["text"] for part in content if isinstance(part.get("text"), str)]
            self.text += texts
            return any(texts)
        return False

    def _say_whole(self, message: dict[str, Any] | None) -> bool:
        """Add a whole message. It counts only if no delta had text; of a growing one, only the new part is added."""
        if not message or (not self._whole and self._has_text):
            return False
        before = len(self.text)
        self._say(message.get("content"))
        self._say(message.get("refusal"))
        new = "".join(self.text[before:]).removeprefix(self._whole)
        del self.text[before:]
        self._whole += new
        return self._say(new)


def _is_said(text: str) -> bool:
    return bool(text.strip(_BLANK))
