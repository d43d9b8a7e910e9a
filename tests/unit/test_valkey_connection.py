"""Connections to a Valkey server, where the client library alone would not do."""

import asyncio
from contextlib import suppress

import anyio

from app.eventlog.server import valkey_url


async def test_a_cancellation_is_not_lost_whenever_it_comes() -> None:
    """Also at the moment when a command has just been sent: a drain would wait for ever for the task."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        client = valkey_url(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}").client(60)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.ping()  # loads what is needed
        for turns in range(40):
            task = asyncio.ensure_future(client.ping())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with anyio.move_on_after(1):
                await asyncio.wait({task})
            assert task.cancelled(), f"after {turns} turns of the event loop"
        await client.aclose()
        await client.connection_pool.disconnect()
