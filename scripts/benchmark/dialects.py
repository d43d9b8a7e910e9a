"""How requests are written and responses checked, in the service's own dialect and in OpenAI's.

A check returns, for each word, the event that completes it, so that times to a word are comparable across dialects.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from . import completions, transcript

MODEL = "bench"
KEY = f"sk-{secrets.token_hex(32)}"  # LiteLLM does not start without one; the engine accepts any


class Check(Protocol):
    def __call__(self, raw: bytes, words: list[str], *, whole: bool) -> list[int]:
        """For each word, the number of the event that completes it, from 0.

        Raises `WrongAnswer` unless `raw` is exactly these words and an end or, if not `whole`, a prefix of that.
        """


@dataclass(frozen=True, slots=True)
class Dialect:
    request: Callable[[int, str, str], bytes]
    """The bytes of a request: takes the server's port, the message, and a credential or an empty string."""
    check: Check


def chat_request(port: int, message: str, credential: str) -> bytes:
    return post(port, "/api/chat", {"user_message": message}, credential)


def completion_request(port: int, message: str, credential: str) -> bytes:
    asked = {
        "model": MODEL,
        "messages": [{"role": "user", "content": message}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return post(port, "/v1/chat/completions", asked, credential or KEY)


def post(port: int, path: str, body: dict[str, object], credential: str) -> bytes:
    content = json.dumps(body).encode()
    authorization = f"Authorization: Bearer {credential}\r\n" if credential else ""
    head = (
        f"POST {path} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\n"
        "Accept: text/event-stream\r\n"
        "Content-Type: application/json\r\n"
        f"{authorization}Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


CHAT = Dialect(chat_request, transcript.check)
COMPLETIONS = Dialect(completion_request, completions.check)
