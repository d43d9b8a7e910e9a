"""A fake engine without a model: streams OpenAI's Chat Completions like vLLM. `engine.py PORT`.

It echoes the user's message with one word per token, which begins with its white space. A first line `/simulate
pace_ms=N` sets the time between tokens; without it, the next token follows in the next turn of the event loop, so that
sixteen streams get their tokens interleaved, as from a batch. Each token is a separate write. The bytes for a message
are cached, so that this process spends its time only on the writes.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import uvloop
from typing_extensions import override

DIRECTIVE = re.compile(r"/simulate(?: pace_ms=(\d+))?[^\n]*\n")
TOKEN = re.compile(" *[^ ]+")
HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
CHUNK = {"id": f"chatcmpl-{'0123456789abcdef' * 2}", "object": "chat.completion.chunk", "created": 1767225600}


class Completion(NamedTuple):
    pace_seconds: float
    writes: Sequence[bytes]


@lru_cache(maxsize=64)
def completion(message: str, model: str) -> Completion:
    directive = DIRECTIVE.match(message)
    tokens = TOKEN.findall(message[directive.end() :] if directive else message)
    about = CHUNK | {"model": model, "system_fingerprint": "fp_0123456789"}
    counts = {"prompt_tokens": len(tokens), "total_tokens": 2 * len(tokens), "completion_tokens": len(tokens)}
    role = event(about | choice({"role": "assistant", "content": ""}))
    last = (event(about | choice({}, "stop")), event(about | {"choices": [], "usage": counts}), sse("[DONE]"))
    writes = [event(about | choice({"content": token})) for token in tokens]
    writes[0] = HEAD + role + writes[0]
    writes.append(b"".join(last) + b"0\r\n\r\n")
    return Completion(int(directive[1] or 0) / 1000 if directive else 0.0, writes)


def choice(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, object]:
    said = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason, "token_ids": None}
    return {"choices": [said], "usage": None}


def event(chunk: dict[str, object]) -> bytes:
    return sse(json.dumps(chunk, separators=(",", ":")))


def sse(data: str) -> bytes:
    frame = f"data: {data}\n\n"
    return f"{len(frame):x}\r\n{frame}\r\n".encode()


class Connection(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.unread = b""
        self.due = 0.0
        self.transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP has no other kind
        self.transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self.unread += data
        head, found, rest = self.unread.partition(HEAD_END)
        length = LENGTH.search(head)
        size = int(length[1]) if length else 0
        if not found or len(rest) < size:
            return
        self.unread = rest[size:]
        if not head.startswith(b"POST /v1/chat/completions "):
            self.transport.write(NOT_FOUND)
            return
        asked = json.loads(rest[:size])
        pace, writes = completion(asked["messages"][-1]["content"], asked["model"])
        self.due = self.loop.time()
        self.say(iter(writes), pace)

    def say(self, writes: Iterator[bytes], pace: float) -> None:
        write = next(writes, None)
        if write is None or self.transport.is_closing():
            return
        self.transport.write(write)
        if pace:
            self.due += pace
            self.loop.call_at(self.due, self.say, writes, pace)
        else:
            self.loop.call_soon(self.say, writes, pace)


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(loop), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
