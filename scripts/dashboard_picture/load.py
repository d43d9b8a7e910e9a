"""Readers of all kinds, for a few minutes: most stay, some leave, resume, cancel, repeat, err or read nothing."""

import asyncio
import random
from collections.abc import Mapping

import aiohttp

READERS = 40
_PACED = "/simulate pace_ms=60\n" + "word " * 30
_ANGRY = ("/simulate fail_after=5\n" + "word " * 9, "/simulate status=503\n", "/simulate status=429\n")
_LONG = "/simulate repeat=12\n" + "x " * 7_900


async def readers(url: str, over: asyncio.Event, engine_url: str) -> None:
    """Until it is `over`. `engine_url` is that of another service, whose bot asks an engine."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as tasks:
        for number in range(READERS):
            tasks.create_task(_reader(session, url, over, random.Random(number)))  # noqa: S311 - nothing secret
        tasks.create_task(_asking(session, engine_url, over))
        tasks.create_task(_reads_nothing(url, over))


async def _reader(session: aiohttp.ClientSession, url: str, over: asyncio.Event, chance: random.Random) -> None:
    while not over.is_set():
        (act,) = chance.choices(_ACTS, (_USUALLY, *[1] * (len(_ACTS) - 1)))
        try:
            await act(session, url, chance)
        except (aiohttp.ClientError, ConnectionError):
            await asyncio.sleep(0.1)


async def _stay(session: aiohttp.ClientSession, url: str, _: random.Random) -> None:
    await _read(session, f"{url}/api/chat", _PACED)


async def _wait(session: aiohttp.ClientSession, url: str, _: random.Random) -> None:
    await _read(session, f"{url}/api/replies", _PACED)


async def _leave(session: aiohttp.ClientSession, url: str, _: random.Random) -> None:
    await _read(session, f"{url}/api/chat", _PACED, chunks=5)


async def _resume(session: aiohttp.ClientSession, url: str, _: random.Random) -> None:
    reply_id = await _read(session, f"{url}/api/chat", _PACED, chunks=5)
    await _get(session, f"{url}/api/replies/{reply_id}/events", {"Last-Event-ID": f"{reply_id}:3"})


async def _cancel(session: aiohttp.ClientSession, url: str, _: random.Random) -> None:
    reply_id = await _read(session, f"{url}/api/chat", _PACED, chunks=3)
    async with session.post(f"{url}/api/replies/{reply_id}/cancel"):
        pass


async def _repeat(session: aiohttp.ClientSession, url: str, chance: random.Random) -> None:
    key = {"Idempotency-Key": f"{chance.random()}"}
    for _ in range(2):
        await _read(session, f"{url}/api/chat", "word " * 9, key)


async def _again(session: aiohttp.ClientSession, url: str, _: random.Random) -> None:
    reply_id = await _read(session, f"{url}/api/chat", "word " * 9)
    await _get(session, f"{url}/api/replies/{reply_id}/events")


async def _err(session: aiohttp.ClientSession, url: str, chance: random.Random) -> None:
    await _read(session, f"{url}/api/chat", chance.choice(_ANGRY))


async def _ask(session: aiohttp.ClientSession, url: str, _: random.Random) -> None:
    await _get(session, f"{url}/api/replies/{'0' * 32}")


_USUALLY = 9
_ACTS = (_stay, _wait, _leave, _resume, _cancel, _repeat, _again, _err, _ask)
"""What a reader does; the first one most of the time."""


async def _asking(session: aiohttp.ClientSession, url: str, over: asyncio.Event) -> None:
    while not over.is_set():
        await _read(session, f"{url}/api/chat", "hello")
        await asyncio.sleep(0.2)


async def _reads_nothing(url: str, over: asyncio.Event) -> None:
    port = int(url.rpartition(":")[2])
    body = ('{"user_message": "' + _LONG.replace("\n", "\\n") + '"}').encode()
    while not over.is_set():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        head = "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await asyncio.sleep(5)
        writer.transport.abort()
        del reader


async def _read(
    session: aiohttp.ClientSession,
    url: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    chunks: int | None = None,
) -> str:
    """Read a reply, or so many of its chunks. Returns its id."""
    async with session.post(url, json={"user_message": message}, headers=headers) as response:
        count = 0
        async for _ in response.content.iter_any():
            count += 1
            if count == chunks:
                response.close()
                break
        return response.headers.get("Reply-Id", "")


async def _get(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str] | None = None) -> None:
    async with session.get(url, headers=headers) as response:
        await response.read()
