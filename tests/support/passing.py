"""The base of TCP proxies between a client and a server on this machine."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

PIECE_BYTES = 2**16


class Proxy(ABC):
    """A proxy in front of a server. An async context manager; clients use its `url`."""

    def __init__(self, port: int) -> None:
        """`port` is the server's."""
        self._port = port
        self._listener: asyncio.Server
        self.url: str
        """Its address, without a trailing slash."""

    async def __aenter__(self) -> Self:
        """Listen."""
        self._listener = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the last client to leave."""
        self._listener.close()
        await self._listener.wait_closed()

    @abstractmethod
    async def _connection(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Handle a client's connection to its end."""


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until one side closes; then close the other."""
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        while data := await reader.read(PIECE_BYTES):
            writer.write(data)
            await writer.drain()
