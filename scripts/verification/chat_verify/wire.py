"""Sends a request on its own connection and returns all bytes of the response: HTTP libraries stop at its nominal end.

Knows HTTP/1.1 and nothing about the contract.
"""

import asyncio
import contextlib
import ssl
import urllib.request
from collections.abc import Mapping

import httpx


def is_direct(request: httpx.Request) -> bool:
    """Whether the environment configures no proxy for this URL, so that a direct connection is possible."""
    url = request.url
    return not urllib.request.getproxies().get(url.scheme) or bool(urllib.request.proxy_bypass(url.host))


async def exchanged(request: httpx.Request, tls: ssl.SSLContext | None) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers by lower-case name, and all bytes after them until the server closes the connection.

    The request must not have a body. Raises `httpx.NetworkError`, or `ValueError` if the response is not HTTP.
    """
    url = request.url
    headers = [f"{name}: {value}" for name, value in request.headers.items() if name != "connection"]
    lines = [f"{request.method} {url.raw_path.decode()} HTTP/1.1", *headers, "Connection: close", "", ""]
    try:
        reader, writer = await asyncio.open_connection(url.host, url.port or (443 if tls else 80), ssl=tls)
        with contextlib.closing(writer):
            writer.write("\r\n".join(lines).encode())
            head, separator, rest = (await reader.read()).partition(b"\r\n\r\n")
    except OSError as error:
        raise httpx.NetworkError(str(error)) from error
    status, *fields = head.decode("latin-1").split("\r\n")
    parts = status.split(" ")
    if not separator or len(parts) < 2 or not parts[1].isdigit():  # noqa: PLR2004 - the version and the status
        raise ValueError(f"the response is not HTTP: {head[:80]!r}")
    named = (field.partition(":") for field in fields)
    return int(parts[1]), {name.lower(): value.strip() for name, _, value in named}, rest
