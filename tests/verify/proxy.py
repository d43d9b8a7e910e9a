"""An HTTP proxy with a fault. It passes event streams on unbuffered, unless buffering is the fault."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import h11

from chat_verify.exchange import Answer
from tests.verify.faults import Asked, Fault

_BLOCK = re.compile(rb"(: ping\n)|.*?\n\n", re.DOTALL)
_HOP_BY_HOP = {b"connection", b"content-length", b"transfer-encoding", b"keep-alive"}


class FaultyProxy:
    """A proxy in front of a server on this machine. An async context manager."""

    def __init__(self, port: int, fault: Fault, *, prefix: str = "", tls: ssl.SSLContext | None = None) -> None:
        """`prefix` is removed from the path of each request."""
        self.url: str
        """Its address, including the prefix."""
        self._port = port
        self._fault = fault
        self._prefix = prefix
        self._tls = tls
        self._listener: asyncio.Server
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        port = self._listener.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}{self._prefix}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the last client to leave."""
        self._listener.close()
        await self._listener.wait_closed()
        if self._connections:
            await asyncio.wait(self._connections)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connection(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one request, as every response ends with its connection; a disconnect of the client is passed on."""
        with contextlib.suppress(ConnectionError, h11.RemoteProtocolError):  # what is not HTTP gets no response
            asked = await _read_request(reader, self._prefix)
            passing = asyncio.create_task(self._pass_on(asked, writer))
            leaving = asyncio.create_task(reader.read())
            await asyncio.wait([passing, leaving], return_when=asyncio.FIRST_COMPLETED)
            for task in (passing, leaving):
                task.cancel()
            await asyncio.wait([passing, leaving])
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _pass_on(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        sent = self._fault.request(asked)
        if isinstance(sent, Answer):
            await _write(writer, sent.status, sent.headers, sent.content)
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        with contextlib.closing(to_server):
            http = h11.Connection(h11.CLIENT)
            to_server.write(_written(http, sent))
            response, pieces = await _response(http, from_server)
            headers = {
                name.decode(): value.decode("latin-1") for name, value in response.headers if name not in _HOP_BY_HOP
            }
            is_stream = headers.get("content-type", "").startswith("text/event-stream")
            if is_stream and not self._fault.collects:
                await _write(writer, response.status_code, headers, b"")
                await self._events(asked, pieces, writer)
            else:
                content = b"".join([piece async for piece in pieces])
                answer = self._fault.whole(asked, Answer(response.status_code, headers, content))
                await _write(writer, answer.status, answer.headers, answer.content)

    async def _events(self, asked: Asked, pieces: AsyncIterator[bytes], writer: asyncio.StreamWriter) -> None:
        number, rest = 0, b""
        async for piece in pieces:
            rest += piece
            while match := _BLOCK.match(rest):
                rest = rest[match.end() :]
                number += not match[1]
                writer.write(self._fault.event(asked, 0 if match[1] else number, match[0]))
            await writer.drain()
        writer.write(rest)
        await writer.drain()


async def _read_request(reader: asyncio.StreamReader, prefix: str) -> Asked:
    http = h11.Connection(h11.SERVER)
    asked, body = Asked("", "", {}), b""
    while True:
        match http.next_event():
            case h11.NEED_DATA:
                if not (data := await reader.read(2**16)):
                    raise ConnectionResetError
                http.receive_data(data)
            case h11.Request(method=method, target=target, headers=headers):
                path = target.decode("latin-1").removeprefix(prefix)
                named = {name.decode(): value.decode("latin-1") for name, value in headers if name not in _HOP_BY_HOP}
                asked = Asked(method.decode(), path, named)
            case h11.Data(data=data):
                body += data
            case _:
                return Asked(asked.method, asked.path, asked.headers, body)


def _written(http: h11.Connection, asked: Asked) -> bytes:
    length = {"content-length": str(len(asked.body))} if asked.body else {}
    headers = {**asked.headers, **length, "connection": "close"}
    begin = h11.Request(
        method=asked.method,
        target=asked.path,
        headers=[(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
    )
    return b"".join(http.send(part) or b"" for part in (begin, h11.Data(data=asked.body), h11.EndOfMessage()))


async def _response(http: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Response, AsyncIterator[bytes]]:
    async def following() -> AsyncIterator[h11.Event]:
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(2**16))
            elif isinstance(event, h11.Event):
                yield event
                if isinstance(event, h11.EndOfMessage):
                    return

    events = following()
    response = await anext(events)
    assert isinstance(response, h11.Response)

    async def pieces() -> AsyncIterator[bytes]:
        async for event in events:
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    return response, pieces()


async def _write(writer: asyncio.StreamWriter, status: int, headers: object, content: bytes) -> None:
    assert isinstance(headers, dict)
    lines = [
        f"HTTP/1.1 {status} X",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Connection: close",
        "",
        "",
    ]
    writer.write("\r\n".join(lines).encode("latin-1") + content)
    await writer.drain()
