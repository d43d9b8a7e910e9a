"""What a reply's shared log holds: entries of a stream (`XADD`), each a batch of words, and last the end.

The id of a batch is `N-0`, where N is how many words the reply has with it. The server refuses an id that is not larger
than the last one, so a batch that is sent twice, because an answer was lost, is there once. A reader that has K words
finds what follows behind the id `K-0`, whatever the batches are. The end has the largest possible id: nothing follows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.chat.errors import MessageRefused, error_with_code
from app.chat.model import Done, End, Failed, Usage

_LARGEST = 2**64 - 1

END_ID = f"{_LARGEST}-{_LARGEST}"
FENCE_ID = f"{_LARGEST}-{_LARGEST - 1}"
"""Of an entry without content, after which there is room for nothing but the end."""

WORDS = "w"
END = "e"
FENCE = "f"
"""Names of fields: each entry has one."""


@dataclass(frozen=True, slots=True)
class Words:
    """A batch of words."""

    position: int
    """How many words the reply has with it."""
    words: Sequence[str]

    def after(self, count: int) -> Sequence[str] | None:
        """Those after the first `count` words of the reply; `None` if there is a gap between them and the batch."""
        start = self.position - len(self.words)
        return None if start > count else self.words[count - start :]


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a reply."""

    words: int
    """How many words the reply has."""
    end: End


def words_id(position: int) -> str:
    """The id of the batch after which the reply has `position` words."""
    return f"{position}-0"


def dump_words(words: Sequence[str]) -> str:
    """A batch as text."""
    return json.dumps(words, separators=(",", ":"), ensure_ascii=False)


def dump_end(end: End, words: int) -> str:
    """The end of a reply of so many words, as text. The reply's text is not in it: its words are."""
    known: dict[str, Any] = {"words": words}
    match end:
        case Done():
            known |= {"finish_reason": end.finish_reason, "omitted_messages": end.omitted_messages}
            if end.usage is not None:
                known["usage"] = [end.usage.prompt_tokens, end.usage.completion_tokens]
        case Failed(error):
            known |= {"error": error.code, "retry_after_seconds": error.retry_after_seconds}
            if isinstance(error, MessageRefused):
                known["reason"] = error.reason
    return json.dumps(known)


def load(entry_id: bytes, fields: dict[bytes, bytes]) -> Words | Ended | None:
    """The content of an entry.

    `None` for one that is to be skipped: it has no content, or a later version or another program has written it.
    """
    try:
        if (text := fields.get(WORDS.encode())) is not None:
            words = json.loads(text)
            if isinstance(words, list) and all(isinstance(word, str) for word in words):
                return Words(int(entry_id.partition(b"-")[0]), words)
        elif (text := fields.get(END.encode())) is not None:
            return _end(json.loads(text))
    except (LookupError, TypeError, ValueError, RecursionError):
        pass
    return None


def _end(known: dict[str, Any]) -> Ended:
    words = int(known["words"])
    if (code := known.get("error")) is not None:
        error = MessageRefused(known["reason"]) if "reason" in known else error_with_code(code)
        error.retry_after_seconds = known.get("retry_after_seconds")
        return Ended(words, Failed(error))
    usage = Usage(*known["usage"]) if "usage" in known else None
    return Ended(words, Done("", known["finish_reason"], usage, known.get("omitted_messages", 0)))
