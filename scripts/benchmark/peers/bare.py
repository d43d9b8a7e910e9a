"""No framework: an ASGI application that sends each word as it comes. The baseline for everything else in Python."""

import asyncio
import json
from typing import TYPE_CHECKING

from .echo import echo

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

EVENT_STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]


async def app(scope: "Scope", receive: "Receive", send: "Send") -> None:
    if scope["method"] != "POST" or scope["path"] != "/api/chat":
        await refuse(send, 404)
        return
    body = b""
    more = True
    while more:
        part = await receive()
        body += part.get("body", b"")
        more = part.get("more_body", False)
    try:
        message = json.loads(body)["user_message"]
    except (ValueError, TypeError, KeyError):
        await refuse(send, 422)
        return
    if not isinstance(message, str) or not message:
        await refuse(send, 422)
        return

    reply_id, words, pace, done = echo(message)
    await send({"type": "http.response.start", "status": 200, "headers": EVENT_STREAM})
    for n, word in enumerate(words, 1):
        if pace and n > 1:
            await asyncio.sleep(pace)
        frame = f"data: {word}\nid: {reply_id}:{n}\n\n".encode()
        await send({"type": "http.response.body", "body": frame, "more_body": True})
    await send({"type": "http.response.body", "body": f"event: done\ndata: {done}\n\n".encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def refuse(send: "Send", status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
