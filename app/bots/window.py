"""Estimates how much of a conversation fits into a model's context, from the engine's model list, errors and usage."""

import math
from collections.abc import Sequence

from app.chat.history import newest
from app.chat.model import Message

_TOKENS_A_BYTE = 1 / 3
"""The estimate before the first usage. English has four bytes per token, many other languages two or three."""

_TELLING_BYTES = 256
"""Below this size, the tokens that a template adds outweigh the text."""

_FORGETS = 0.9
_LEAST, _MOST = 1 / 8, 1.0
_BYTES_AROUND = 20
"""What a template adds to a message, at three bytes per token."""

_REPLY_TOKENS = 1024
_MARGIN = 0.95


class Window:
    """A model's context, with an estimate of tokens per byte that adapts. One instance per model."""

    def __init__(self, tokens: int | None = None, reply_tokens: int | None = None) -> None:
        """`tokens` is the context size, if known, of which `reply_tokens` are reserved for the reply."""
        self.tokens = tokens
        self._reply_tokens = reply_tokens
        self._tokens_a_byte = _TOKENS_A_BYTE

    @property
    def room(self) -> int | None:
        """How many bytes the conversation may have; `None` if unknown."""
        if self.tokens is None:
            return None
        reply = self._reply_tokens or min(_REPLY_TOKENS, self.tokens // 4)
        return int((self.tokens - min(reply, self.tokens // 2)) / self._tokens_a_byte)

    def learn_size(self, tokens: int) -> None:
        """Set the context size that the engine reported."""
        if tokens > 0:
            self.tokens = tokens

    def learn_count(self, prompt_tokens: int, sent_bytes: int) -> None:
        """Adapt the estimate to a count by the engine. It falls slowly, because languages differ."""
        if prompt_tokens > 0 and sent_bytes >= _TELLING_BYTES:
            counted = min(max(prompt_tokens / sent_bytes, _LEAST), _MOST)
            forgotten = _FORGETS * self._tokens_a_byte + (1 - _FORGETS) * counted
            self._tokens_a_byte = max(counted, forgotten)

    def fitting(self, messages: Sequence[Message], fixed_bytes: int) -> Sequence[Message]:
        """The newest of these turns that fit together with `fixed_bytes`."""
        room = self.room
        return messages if room is None else newest(messages, room - fixed_bytes, size)


def size(message: Message) -> int:
    """The bytes that a message counts for."""
    return len(message.text.encode("utf-8", "surrogatepass")) + _BYTES_AROUND


def shorter(messages: Sequence[Message], room: float) -> Sequence[Message]:
    """Fewer turns, if there is more than one: those that fit in `room`, or half of them if all would fit.

    The last turn always remains, so a result of the same length means that nothing can be left out.
    """
    kept = messages if math.isinf(room) else newest(messages, int(room * _MARGIN), size)
    return kept if len(kept) < len(messages) else newest(messages, sum(map(size, messages)) // 2, size)
