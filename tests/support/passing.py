"""What stands between a client and a server: bytes, passed on."""

import asyncio
import contextlib

PIECE_BYTES = 2**16


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side leaves; then the other learns of it."""
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        while data := await reader.read(PIECE_BYTES):
            writer.write(data)
            await writer.drain()
