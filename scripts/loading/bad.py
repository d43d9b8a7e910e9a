"""Clients that break the rules. Each is answered with a documented refusal, or cut, and disturbs nobody."""

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from yarl import URL

from .client import NOT_NOW, PAUSE_SECONDS, Client, Reading, Wrong

UNREAD_SECONDS = 3.0


async def misbehave(client: Client, reading: Reading) -> None:
    """One of the ways. Raises `Wrong` if the answer is another than it should be."""
    await random.choice(WAYS)(client, reading)  # noqa: S311


async def _refused(client: Client, path: str, content: str, expected: HTTPStatus, **headers: str) -> None:
    named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        async with client.session.post(client.address() + path, data=content, headers=named) as response:
            if response.status not in {expected, *NOT_NOW}:
                raise Wrong(f"{response.status} instead of {expected}", await response.text())
    except (OSError, TimeoutError):
        client.tally.repaired("cut")
        await asyncio.sleep(PAUSE_SECONDS)


async def broken_json(client: Client, _: Reading) -> None:
    await _refused(client, "/api/chat", '{"user_message": ', HTTPStatus.BAD_REQUEST)


async def unknown_type(client: Client, _: Reading) -> None:
    await _refused(client, "/api/chat", "hello", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, Content_Type="text/plain")


async def unknown_cursor(client: Client, _: Reading) -> None:
    content = '{"user_message": "hello"}'
    await _refused(client, "/api/chat", content, HTTPStatus.NOT_FOUND, Last_Event_ID=f"{'0' * 32}:1")


async def half_a_head(client: Client, _: Reading) -> None:
    """Says nothing more, and goes."""
    await _raw(client, b"POST /api/chat HTTP/1.1\r\nHost: ", UNREAD_SECONDS)


async def half_a_body(client: Client, _: Reading) -> None:
    """As above."""
    await _raw(client, _head(client, 1000) + b'{"user_message": "', UNREAD_SECONDS)


async def deaf(client: Client, reading: Reading) -> None:
    """Asks, and reads nothing; then comes back with the same key, and gets the same reply."""
    content = json.dumps({"user_message": reading.message}).encode()
    await _raw(client, _head(client, len(content), reading.key) + content, UNREAD_SECONDS)
    await client.read(reading)
    await client.stored(reading)


def _head(client: Client, length: int, key: str = "") -> bytes:
    url = URL(client.address())
    path = f"{url.path.rstrip('/')}/api/chat"
    named = f"Idempotency-Key: {key}\r\n" if key else ""
    named += "".join(f"{name}: {value}\r\n" for name, value in client.session.headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: {url.authority}\r\nContent-Type: application/json\r\n{named}"
    return f"{head}Content-Length: {length}\r\n\r\n".encode()


async def _raw(client: Client, sent: bytes, seconds: float) -> None:
    url = URL(client.address())
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in (url.host or "") else socket.AF_INET
    with socket.socket(family) as connection, contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)  # noqa: FBT003 - positional only
        await loop.sock_connect(connection, (url.host, url.port))
        await loop.sock_sendall(connection, sent)
        await asyncio.sleep(seconds)


WAYS: tuple[Callable[[Client, Reading], Awaitable[None]], ...] = (
    broken_json,
    unknown_type,
    unknown_cursor,
    half_a_head,
    half_a_body,
    deaf,
)
