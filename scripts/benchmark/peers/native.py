"""FastAPI's own Server-Sent Events: the operation itself yields `ServerSentEvent`s."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from .echo import echo

app = FastAPI()


class ChatRequest(BaseModel):
    user_message: str = Field(min_length=1)


@app.post("/api/chat", response_class=EventSourceResponse)
async def stream_chat(request: ChatRequest) -> AsyncIterator[ServerSentEvent]:
    reply_id, words, pace, done = echo(request.user_message)
    for n, word in enumerate(words, 1):
        if pace and n > 1:
            await asyncio.sleep(pace)
        yield ServerSentEvent(raw_data=word, id=f"{reply_id}:{n}")
    yield ServerSentEvent(raw_data=done, event="done")
