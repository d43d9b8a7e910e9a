"""A TCP proxy that cuts connections at chosen places of their responses, like a mobile client's network."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.support.passing import PIECE_BYTES, Proxy, pass_on

_EVENT = re.compile(rb"(?<=[\r\n]\n)(?=data: |event: |id: )")
"""Where an event begins: after an empty line, or after the line with a chunk's size."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A place in a response: after a byte of an event, both counted from 1. Event 0 is the head."""

    event: int
    byte: int
    """Negative values count from the event's end; values beyond the event mean its end."""
    cleanly: bool = False
    """Whether it looks like the end of the response, like a proxy that speaks HTTP/1.0 to the server does it."""

    def position(self, response: bytes) -> int | None:
        """The offset in the response so far; `None` if the event has not completely arrived."""
        starts = [0, *(match.start() for match in _EVENT.finditer(response))]
        if self.event >= len(starts):
            return None
        start = starts[self.event]
        last_line_ends = b"\n\n" if self.event else b"\r\n\r\n"
        end = response.find(last_line_ends, start) + len(last_line_ends)
        if end < start + len(last_line_ends):
            return None
        return max(start, end + self.byte) if self.byte < 0 else min(start + self.byte, end)


class CuttingProxy(Proxy):
    """Cuts off the first connections.

    Each cut is for one connection, in order of arrival; later connections are left alone.
    """

    def __init__(
        self,
        port: int,
        cuts: Sequence[Cut],
        before_hanging_up: Callable[[int], Awaitable[object]],
        method: bytes = b"",
    ) -> None:
        """`before_hanging_up` gets the number of complete events passed on so far, over all connections.

        It may wait until the client has read them: a client may discard unread data when the connection ends. A
        connection that begins with a request of another `method`, if that is given, is left alone, and for one request.
        """
        super().__init__(port)
        self._cuts = list(cuts)
        self._before_hanging_up = before_hanging_up
        self._method = method
        self._events = 0
        self.requests: list[Mapping[str, str]] = []
        """The headers of each connection's first request, by lower-case name."""

    async def _connection(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            head = await from_client.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # Node opens connections that it does not use
            to_client.close()
            return
        counts = head.startswith(self._method)
        cut = self._cuts.pop(0) if self._cuts and counts else None
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            self.requests.append(_headers(head))
            is_last = cut.cleanly if cut else not counts
            to_server.write(head.replace(b"HTTP/1.1", b"HTTP/1.0", 1) if is_last else head)
            async with asyncio.TaskGroup() as group:
                requests = group.create_task(pass_on(from_client, to_server))
                await (self._cut_off(cut, from_server, to_client) if cut else pass_on(from_server, to_client))
                requests.cancel()
        finally:
            for writer in (to_client, to_server):
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

    async def _cut_off(self, cut: Cut, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        response = b""
        while (end := cut.position(response)) is None:
            if not (data := await reader.read(PIECE_BYTES)):
                raise EOFError(f"{cut} is not in this response: {response!r}")
            response += data
        writer.write(response[:end])
        self._events += response.count(b"\n\n", 0, end)
        await self._before_hanging_up(self._events)


def _headers(head: bytes) -> Mapping[str, str]:
    _, *lines = head.decode("latin-1").split("\r\n")[:-2]
    pairs = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}
