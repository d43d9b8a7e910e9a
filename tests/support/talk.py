"""Short helpers for requests to an application in this process."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI

from app.chat.model import Conversation, Finish, Usage
from app.chat.ports import Bot
from app.main import create_app
from generated.models import Reply
from tests.support.addresses import CHAT, WHOLE, cancel_of, conversation_at
from tests.support.asgi import Client, Whole
from tests.support.settings import Settings


@dataclass(slots=True)
class Echo:
    """A bot that echoes the message, and records the conversations that it gets."""

    seen: list[list[tuple[str, str]]] = field(default_factory=list)
    """For each reply, the conversation: roles and texts, oldest first."""

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """Echo."""
        self.seen.append([(message.role, message.text) for message in conversation.messages])
        yield conversation.user_message


@asynccontextmanager
async def service(
    database_url: str, bot: Bot | None = None, **settings: object
) -> AsyncIterator[tuple[Client, FastAPI]]:
    """An application on a database, and a client for it. The default bot is the simulator."""
    app = create_app(Settings.model_validate({"bot": "simulator", "database_url": database_url} | settings), bot)
    async with Client(app) as client:
        yield client, app


async def ask(
    client: Client, text: str, conversation_id: str | None = None, path: str = WHOLE, **headers: str
) -> Whole:
    """Send a message and get the reply as JSON, or a problem. `idempotency_key="x"` is a header too."""
    body = {"user_message": text} | ({"conversation_id": conversation_id} if conversation_id else {})
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.request("POST", path, json=body, headers=names)


async def streamed(client: Client, text: str, conversation_id: str | None = None, **headers: str) -> Whole:
    """Like `ask`, with the reply as a stream."""
    return await ask(client, text, conversation_id, CHAT, **headers)


async def replied(client: Client, text: str, conversation_id: str | None = None, **headers: str) -> Reply:
    """Like `ask`, where a reply is expected."""
    answer = await ask(client, text, conversation_id, **headers)
    assert answer.status == 200, answer.content
    return Reply.model_validate_json(answer.content)


async def cancelled(client: Client, reply_id: str) -> None:
    """Cancel a reply, which may have ended."""
    answer = await client.request("POST", cancel_of(reply_id))
    assert (answer.status, answer.content) == (204, b"")


async def got(client: Client, path: str) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """The JSON at a path."""
    answer = await client.request("GET", path)
    assert answer.status == 200, answer.content
    return answer.json()


async def messages(client: Client, conversation_id: str) -> list[dict[str, Any]]:
    """All messages of a conversation that fits on one page."""
    conversation = await got(client, f"{conversation_at(conversation_id)}?limit=100")
    assert "next_cursor" not in conversation
    said: list[dict[str, Any]] = conversation["messages"]
    return said


def problem(answer: Whole) -> tuple[int, str]:
    """The status and the code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer
    assert answer.json()["status"] == answer.status
    return answer.status, answer.json()["type"].removeprefix("urn:problem:")
