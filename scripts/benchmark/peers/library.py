"""sse-starlette, the most popular library for this, on FastAPI as in its README."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from .echo import echo

app = FastAPI()


class ChatRequest(BaseModel):
    user_message: str = Field(min_length=1)


@app.post("/api/chat")
async def stream_chat(request: ChatRequest) -> EventSourceResponse:
    return EventSourceResponse(events(request.user_message))


async def events(message: str) -> AsyncIterator[ServerSentEvent]:
    reply_id, words, pace, done = echo(message)
    for n, word in enumerate(words, 1):
        if pace and n > 1:
            await asyncio.sleep(pace)
        yield ServerSentEvent(data=word, id=f"{reply_id}:{n}")
    yield ServerSentEvent(data=done, event="done")
