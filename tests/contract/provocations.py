"""The situations that the contract describes, and how to send requests in them. Only bots are fake."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from app.chat.model import Conversation, Finish
from app.main import create_app
from tests.contract.asking import CANARY, Request, chat
from tests.contract.stage import STALLED, Stage
from tests.contract.wire import exchange
from tests.support.asgi import Client, Whole
from tests.support.keys import bearer, made_key, revoke
from tests.support.server import LiveServer
from tests.support.settings import Settings

Ask = Callable[[Request], Awaitable[Whole]]
"""Sends a request with the ids of a situation."""
Situation = Callable[[Stage], AbstractAsyncContextManager[Ask]]


@dataclass(frozen=True, slots=True)
class Provocation:
    """A request, and the situation for it."""

    asked: Request
    situation: Situation
    is_once: bool = False
    """Whether the situation is different after the request."""

    def plus(self, **headers: str) -> "Provocation":
        """The same with more request headers."""
        return replace(self, asked=self.asked.plus(**headers))


class Raising:
    """A bot that raises before its first word."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Finish, None]:
        """Raise."""
        if conversation.user_message:
            raise self._error
        yield ""


def fresh(asked: Request, bot: Raising | None = None, /, **settings: object) -> Provocation:
    """Send a request to a fresh service."""

    @asynccontextmanager
    async def situation(_: Stage) -> AsyncIterator[Ask]:
        async with Client(create_app(_settings(settings), bot)) as client:
            yield _asking(client)

    return Provocation(asked, situation)


def after(said: Request, asked: Request, *, restart: bool = False, **settings: object) -> Provocation:
    """Send a request to a service with data; optionally after a clean restart.

    The request may contain `{reply_id}` and `{conversation_id}`.
    """

    @asynccontextmanager
    async def situation(_: Stage) -> AsyncIterator[Ask]:
        own = _settings(settings)
        async with Client(create_app(own)) as client:
            await _asking(client)(said)
            ids = await _newest(client)
            if not restart:
                yield _asking(client, ids)
                return
        async with Client(create_app(own)) as client:
            yield _asking(client, ids)

    return Provocation(asked, situation)


def during(
    asked: Request, running: int = 1, said: Request | None = None, text: str = STALLED, **settings: object
) -> Provocation:
    """Send a request while replies to a `text` run, about the newest one, or about one from before a restart."""

    @asynccontextmanager
    async def situation(_: Stage) -> AsyncIterator[Ask]:
        own = _settings(settings)
        ids: Mapping[str, str] = {}
        if said is not None:
            async with Client(create_app(own)) as client:
                await _asking(client)(said)
                ids = await _newest(client)
        async with Client(create_app(own)) as client, AsyncExitStack() as stack:
            for _running in range(running):
                await _begun(client, stack, chat(text))
            yield _asking(client, ids or await _newest(client))

    return Provocation(asked, situation)


def revoked(asked: Request, *, resumes: bool = False) -> Provocation:
    """Use a key that is revoked before the reply's end; with `resumes`, for a reply that was started with it before."""

    @asynccontextmanager
    async def situation(_: Stage) -> AsyncIterator[Ask]:
        own = _settings({})
        key, key_id = await made_key(own.database_url)
        signed = {"authorization": bearer(key)}
        async with Client(create_app(own)) as client, AsyncExitStack() as stack:
            ids = await _begun(client, stack, chat(STALLED, **signed)) if resumes else {}

            async def ask(asked: Request) -> Whole:
                answer = asyncio.ensure_future(_asking(client, ids)(asked.plus(**signed)))
                await revoke(own.database_url, key_id)
                return await answer

            yield ask

    return Provocation(asked, situation, is_once=True)


def draining(asked: Request) -> Provocation:
    """Send a request to a server that is draining."""
    return Provocation(asked, _on_stage(lambda stage: (stage.draining, {})))


def without_database(asked: Request) -> Provocation:
    """Send a request to a server whose database is gone."""
    return Provocation(asked, _on_stage(lambda stage: (stage.without_database, {})))


def elsewhere(asked: Request) -> Provocation:
    """Send a request to a server next to one that hangs."""
    return Provocation(asked, _on_stage(lambda stage: stage.elsewhere))


def crashed(asked: Request) -> Provocation:
    """Request a reply that was lost in a crash."""
    return Provocation(asked, _on_stage(lambda stage: stage.crashed))


def crashed_late(asked: Request) -> Provocation:
    """Request a reply that was partly saved before a crash."""
    return Provocation(asked, _on_stage(lambda stage: stage.crashed_late))


def slowly(asked: Request) -> Provocation:
    """Start sending a body, and stop."""

    @asynccontextmanager
    async def situation(_: Stage) -> AsyncIterator[Ask]:
        with LiveServer(request_seconds=0.3) as server:
            yield _asking_over_a_socket(server)

    return Provocation(asked.plus(content_length=str(len(asked.content) + 1)), situation)


def with_a_defect() -> Provocation:
    """Replace a handler of the application by a defective one, and call it."""

    @asynccontextmanager
    async def situation(_: Stage) -> AsyncIterator[Ask]:
        app = create_app(Settings())

        async def defective() -> None:
            raise RuntimeError(CANARY)

        app.add_api_route("/defective", defective)
        async with Client(app) as client:
            yield _asking(client)

    return Provocation(Request("GET", "/defective"), situation)


def with_bytes(head: bytes) -> Provocation:
    """Send bytes that no client library would send."""

    @asynccontextmanager
    async def situation(_: Stage) -> AsyncIterator[Ask]:
        with LiveServer() as server:

            async def ask(_: Request) -> Whole:
                return exchange(server.port, head + b"\r\n\r\n")

            yield ask

    return Provocation(Request("", ""), situation)


def _on_stage(found: Callable[[Stage], tuple[LiveServer, Mapping[str, str]]]) -> Situation:
    @asynccontextmanager
    async def situation(stage: Stage) -> AsyncIterator[Ask]:
        yield _asking_over_a_socket(*found(stage))

    return situation


def _settings(given: Mapping[str, Any]) -> Settings:
    return Settings.model_validate({"bot": "simulator", **given})


def _asking(client: Client, ids: Mapping[str, str] | None = None) -> Ask:
    async def ask(asked: Request) -> Whole:
        asked = asked.of(ids or {})
        return await client.request(asked.method, asked.path, content=asked.content.encode(), headers=asked.headers)

    return ask


def _asking_over_a_socket(server: LiveServer, ids: Mapping[str, str] | None = None) -> Ask:
    async def ask(asked: Request) -> Whole:
        return exchange(server.port, asked.of(ids or {}).raw())

    return ask


async def _begun(client: Client, stack: AsyncExitStack, asked: Request) -> Mapping[str, str]:
    """Start an endless reply, and keep reading it. Returns its id."""
    response = await stack.enter_async_context(
        client.stream(asked.method, asked.path, content=asked.content.encode(), headers=asked.headers)
    )
    assert response.status == 200
    return {"reply_id": response.headers["reply-id"]}


async def _newest(client: Client) -> dict[str, str]:
    """The ids of the most recently updated conversation and its first reply; empty if there is none."""
    conversations = (await client.request("GET", "/api/conversations")).json()["conversations"]
    with contextlib.suppress(IndexError):
        conversation_id = conversations[0]["conversation_id"]
        conversation = (await client.request("GET", f"/api/conversations/{conversation_id}")).json()
        return {"conversation_id": conversation_id, "reply_id": conversation["messages"][1]["reply_id"]}
    return {}
