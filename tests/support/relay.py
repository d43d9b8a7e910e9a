"""A proxy between a bot and its engine that records requests and disconnects."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any, Self

from tests.support.passing import Proxy, pass_on


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A received request."""

    body: Any
    """The parsed JSON."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its connection has ended."""


class Relay(Proxy):
    """The proxy; its `url` is a bot's `base_url`."""

    def __init__(self, port: int) -> None:
        """`port` is the engine's, on this machine."""
        super().__init__(port)
        self.requests: list[Asked] = []
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        """Listen."""
        await super().__aenter__()
        self.url += "/v1"
        return self

    async def asked(self, count: int) -> Asked:
        """Wait for the request with this number, from 1."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.requests) >= count)
        return self.requests[count - 1]

    async def _connection(self, from_bot: asyncio.StreamReader, to_bot: asyncio.StreamWriter) -> None:
        from_engine, to_engine = await asyncio.open_connection("127.0.0.1", self._port)
        with contextlib.closing(to_bot), contextlib.closing(to_engine):
            answers = asyncio.create_task(pass_on(from_engine, to_bot))
            requests: list[Asked] = []
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    requests.append(await self._request(from_bot, to_engine))
            for request in requests[-1:]:
                request.left.set()
            answers.cancel()
            await asyncio.wait([answers])

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Asked:
        head = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
        asked = Asked(json.loads(body or b"null"))
        writer.write(head + body)
        async with self._news:
            self.requests.append(asked)
            self._news.notify_all()
        return asked
