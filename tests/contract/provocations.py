"""Asks the service in the situations that its contract speaks of. Only the bot is ever feigned."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from app.chat.model import Conversation, Finish
from app.main import create_app
from tests.contract.asking import CANARY, Request
from tests.contract.stage import STALLED, Stage
from tests.contract.wire import exchange, request
from tests.support.asgi import Client, Whole
from tests.support.keys import bearer, made_key, revoke
from tests.support.server import LiveServer
from tests.support.settings import Settings

Situation = LiveServer | tuple[LiveServer, Mapping[str, str]]
"""A server, and ids of what it is about."""
Provocation = Callable[[Stage], Awaitable[Whole]]


class Raising:
    """A bot that raises before its first word."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Finish, None]:
        """Raise."""
        if conversation.user_message:
            raise self._error
        yield ""


def fresh(asked: Request, bot: Raising | None = None, **settings: object) -> Provocation:
    """Ask a service that nobody has asked before."""

    async def provoke(_: Stage) -> Whole:
        async with Client(create_app(_settings(settings), bot)) as client:
            return await _ask(client, asked)

    return provoke


def after(said: Request, asked: Request, *, restart: bool = False, **settings: object) -> Provocation:
    """Ask a service to which something was said before; perhaps before it was stopped in good order and started again.

    What is asked may have `{reply_id}` and `{conversation_id}` in it.
    """

    async def provoke(_: Stage) -> Whole:
        own = _settings(settings)
        async with Client(create_app(own)) as client:
            await _ask(client, said)
            ids = await _newest(client)
            if not restart:
                return await _ask(client, asked.of(ids))
        async with Client(create_app(own)) as client:
            return await _ask(client, asked.of(ids))

    return provoke


def during(asked: Request, running: int = 1, said: Request | None = None, **settings: object) -> Provocation:
    """Ask while replies run; about the newest of them, or about what was `said` before the service was restarted."""

    async def provoke(_: Stage) -> Whole:
        own = _settings(settings)
        ids: Mapping[str, str] = {}
        if said is not None:
            async with Client(create_app(own)) as client:
                await _ask(client, said)
                ids = await _newest(client)
        async with Client(create_app(own)) as client, AsyncExitStack() as stack:
            for _running in range(running):
                stalled = {"user_message": STALLED}
                response = await stack.enter_async_context(client.stream("POST", "/api/chat", json=stalled))
                assert response.status == 200
            return await _ask(client, asked.of(ids or await _newest(client)))

    return provoke


def revoked(asked: Request, *, resumes: bool = False) -> Provocation:
    """Ask with a key that is revoked before there is an end; to read what was begun with it before, if `resumes`."""

    async def provoke(_: Stage) -> Whole:
        own = _settings({})
        key, key_id = await made_key(own.database_url)
        signed = {"authorization": bearer(key)}
        async with Client(create_app(own)) as client, AsyncExitStack() as stack:
            ids: Mapping[str, str] = {}
            if resumes:
                stalled = {"user_message": STALLED}
                begun = await stack.enter_async_context(
                    client.stream("POST", "/api/chat", json=stalled, headers=signed)
                )
                ids = {"reply_id": begun.headers["reply-id"]}
            answer = asyncio.ensure_future(_ask(client, asked.of(ids).plus(authorization=bearer(key))))
            await revoke(own.database_url, key_id)
            return await answer

    return provoke


def draining(asked: Request) -> Provocation:
    """Ask a server that was told to stop."""
    return _on_stage(lambda stage: stage.draining, asked)


def without_database(asked: Request) -> Provocation:
    """Ask a server whose database has gone away."""
    return _on_stage(lambda stage: stage.without_database, asked)


def elsewhere(asked: Request) -> Provocation:
    """Ask the wrong one of two servers."""
    return _on_stage(lambda stage: stage.elsewhere, asked)


def crashed(asked: Request) -> Provocation:
    """Ask about a reply of which a crash has left nothing."""
    return _on_stage(lambda stage: stage.crashed, asked)


def crashed_late(asked: Request) -> Provocation:
    """Ask about a reply of which a crash has left something."""
    return _on_stage(lambda stage: stage.crashed_late, asked)


async def with_a_defect(_: Stage) -> Whole:
    """Give the application a handler that is wrong, and call it."""
    app = create_app(Settings())

    async def defective() -> None:
        raise RuntimeError(CANARY)

    app.add_api_route("/defective", defective)
    async with Client(app) as client:
        return await client.request("GET", "/defective")


async def with_half_a_body(_: Stage) -> Whole:
    """Begin to send a body, and stop."""
    with LiveServer(request_seconds=0.3) as server:
        headers = ["Content-Type: application/json", "Content-Length: 100"]
        return exchange(server.port, request("POST", "/api/chat", headers, b'{"user_message": "'))


async def with_something_else_than_http(_: Stage) -> Whole:
    """Talk nonsense to the port."""
    with LiveServer() as server:
        return exchange(server.port, f"{CANARY}\r\n\r\n".encode())


def _on_stage(situation: Callable[[Stage], Situation], asked: Request) -> Provocation:
    async def provoke(stage: Stage) -> Whole:
        match situation(stage):
            case LiveServer() as server:
                return exchange(server.port, asked.raw())
            case server, ids:
                return exchange(server.port, asked.of(ids).raw())

    return provoke


def _settings(given: Mapping[str, Any]) -> Settings:
    return Settings.model_validate({"bot": "simulator", **given})


async def _ask(client: Client, asked: Request) -> Whole:
    return await client.request(asked.method, asked.path, content=asked.content.encode(), headers=asked.headers)


async def _newest(client: Client) -> dict[str, str]:
    """The ids of the conversation that was last spoken in, and of its first reply; none if nothing was said."""
    conversations = (await client.request("GET", "/api/conversations")).json()["conversations"]
    with contextlib.suppress(IndexError):
        conversation_id = conversations[0]["conversation_id"]
        conversation = (await client.request("GET", f"/api/conversations/{conversation_id}")).json()
        return {"conversation_id": conversation_id, "reply_id": conversation["messages"][1]["reply_id"]}
    return {}
