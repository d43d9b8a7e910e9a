"""A second, small application in the same process, on sockets of its own."""

import asyncio
from collections.abc import Sequence
from socket import socket
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from app.server.connection import BoundedProtocol

_KEEP_ALIVE_SECONDS = 75
_CLOSING_SECONDS = 1.0


class Beside:
    """An async context manager. What is being answered when it ends is cut off after a moment."""

    def __init__(self, app: ASGIApp, protocol: type[BoundedProtocol], sockets: Sequence[socket]) -> None:
        """The sockets listen, or are none; `protocol` has the limits for clients."""
        self._config = uvicorn.Config(
            app,
            http=protocol,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self._new = protocol
        self._sockets = sockets
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []

    async def __aenter__(self) -> Self:
        """Take connections."""
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            self._servers.append(await loop.create_server(self._protocol, sock=each))
        return self

    def _protocol(self) -> asyncio.Protocol:
        return self._new(self._config, self._state, {})

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no more, and close those that there are."""
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=_CLOSING_SECONDS)
