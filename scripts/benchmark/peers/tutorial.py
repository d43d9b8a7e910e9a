"""The way of FastAPI's tutorial: a `StreamingResponse` over an asynchronous generator."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from .echo import echo

app = FastAPI()


class ChatRequest(BaseModel):
    user_message: str = Field(min_length=1)


@app.post("/api/chat")
async def stream_chat(request: ChatRequest) -> StreamingResponse:
    return StreamingResponse(
        frames(request.user_message), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def frames(message: str) -> AsyncIterator[str]:
    reply_id, words, pace, done = echo(message)
    for n, word in enumerate(words, 1):
        if pace and n > 1:
            await asyncio.sleep(pace)
        yield f"data: {word}\nid: {reply_id}:{n}\n\n"
    yield f"event: done\ndata: {done}\n\n"
