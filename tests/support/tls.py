"""TLS in front of a PostgreSQL server that was built without it: the same messages, encrypted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.certificates import serving

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@asynccontextmanager
async def tls_in_front(socket: str, files: tuple[Path, Path] | None) -> AsyncIterator[tuple[int, list[bool]]]:
    """A port that forwards to a server's socket, and for each connection whether it was encrypted.

    Without `files`, TLS is refused, like by a server without it.
    """
    context = None if files is None else serving(files)
    encrypted: list[bool] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            first = await reader.readexactly(8)
            if first == _SSL_REQUEST:
                writer.write(b"S" if context else b"N")
                if context:
                    await writer.start_tls(context)
                first = b""
            there, back = await asyncio.open_unix_connection(socket)
            there_from = back
            there_from.write(first)
            encrypted.append(writer.get_extra_info("ssl_object") is not None)
            await asyncio.gather(_pass(reader, there_from), _pass(there, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], encrypted


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    writer.close()
