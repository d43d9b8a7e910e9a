"""A TCP proxy that can be disconnected and reconnected, like a mobile client's network."""

import asyncio
import contextlib
from types import TracebackType

from tests.support.passing import Proxy, pass_on


class Cable(Proxy):
    """Forwards to a server."""

    def __init__(self, port: int) -> None:
        """`port` is the server's, on this machine; `lead_to` changes it."""
        super().__init__(port)
        self._is_cut = False
        self._clients: set[asyncio.StreamWriter] = set()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self.cut()
        await super().__aexit__(kind, error, trace)

    def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        self._is_cut = True
        self.shake()

    def join(self) -> None:
        """Accept new connections again."""
        self._is_cut = False

    def shake(self) -> None:
        """Break all connections; new ones work."""
        for writer in self._clients:
            writer.transport.abort()

    def lead_to(self, port: int) -> None:
        """Forward new connections to another server."""
        self._port = port

    async def _connection(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._clients.add(to_client)
        try:
            if self._is_cut:
                to_client.transport.abort()
                return
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
            with contextlib.closing(to_server):
                await asyncio.gather(pass_on(from_client, to_server), pass_on(from_server, to_client))
        except OSError:
            to_client.transport.abort()  # there is no server
        finally:
            self._clients.discard(to_client)
            to_client.close()
