"""Requests beyond the service's capacity are refused at once, without affecting the running ones."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from tests.support.server import LiveServer
from tests.support.wire import get, post

_STREAMS = 20
_PACE_SECONDS = 0.05
_RUNNING = f"/simulate pace_ms={_PACE_SECONDS * 1000:.0f} repeat=1000\nword "
_CALLERS = 10
_LOOK_SECONDS = 0.5
_TRIES = 5


@asynccontextmanager
async def _asked(server: LiveServer, raw: bytes) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(raw)
    try:
        yield reader
    finally:
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader, gaps: list[float]) -> None:
    """Record the seconds between the words of a stream."""
    last: float | None = None
    while await reader.readuntil(b"data: word"):
        now = time.monotonic()
        if last is not None:
            gaps.append(now - last)
        last = now


async def _call(server: LiveServer, waits: list[float]) -> None:
    """Keep requesting one more, and record how long the refusals take."""
    while True:
        started_at = time.monotonic()
        async with _asked(server, post("hello", {"Connection": "close"})) as reader:
            answer = await reader.read()
        waits.append(time.monotonic() - started_at)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in answer
        assert b"urn:problem:too-many-streams" in answer


async def _median_gap(gaps: list[float]) -> float:
    """Of the words that arrive in the next moments."""
    gaps.clear()
    await asyncio.sleep(_LOOK_SECONDS)
    return statistics.median(gaps)


async def test_what_is_too_much_is_refused_at_once_and_what_runs_keeps_its_pace() -> None:
    """Half of the refusals take less than a second, and half of the words at most twice as long as before.

    Other load may keep the machine busy, so this is measured several times, and the best result counts.
    """
    gaps: list[float] = []
    waits: list[float] = []
    with LiveServer(max_open_streams=_STREAMS) as server, anyio.fail_after(60):
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            streams = [await stack.enter_async_context(_asked(server, post(_RUNNING))) for _ in range(_STREAMS)]
            tasks = [group.create_task(_read(stream, gaps)) for stream in streams]
            await _median_gap(gaps)
            ratios = []
            for _ in range(_TRIES):
                calm = await _median_gap(gaps)
                callers = [group.create_task(_call(server, waits)) for _ in range(_CALLERS)]
                ratios.append(await _median_gap(gaps) / calm)
                for caller in callers:
                    caller.cancel()
                await asyncio.wait(callers)
                if ratios[-1] < 2:
                    break
            async with _asked(server, get("/api/health", {"Connection": "close"})) as reader:
                assert b"The server is up and running." in await reader.read()
            for task in tasks:
                task.cancel()
        assert len(waits) > _CALLERS
        assert statistics.median(waits) < 1
        assert min(ratios) < 2, ratios
