"""Sends bytes unchanged over a real socket: no client library corrects them first."""

import http.client
import socket
from collections.abc import Iterable

from tests.support.asgi import Whole

PATIENCE_SECONDS = 20.0


def exchange(port: int, request: bytes) -> Whole:
    """Send a request, and read the response to its end.

    Raises `AssertionError` if there is none.
    """
    method = request.split(b" ", 1)[0].decode("latin-1")
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        connection.sendall(request)
        with http.client.HTTPResponse(connection, method=method) as response:
            try:
                response.begin()
            except ConnectionError as error:
                raise AssertionError("the connection was closed without a response") from error
            headers: dict[str, str] = {}
            for name, value in response.getheaders():
                key = name.lower()
                headers[key] = f"{headers[key]}, {value}" if key in headers else value
            return Whole(response.status, headers, response.read())


def request(method: str, target: str, headers: Iterable[str] = (), body: bytes | None = None) -> bytes:
    """The bytes of a request with these header lines, in addition to the mandatory ones."""
    lines = [f"{method} {target} HTTP/1.1", "Connection: close", *headers]
    if not any(line.lower().startswith("host:") for line in lines):
        lines.append("Host: localhost")
    if body is not None and not any(line.lower().startswith(("content-length:", "transfer-")) for line in lines):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def chunked(body: bytes, size: int) -> bytes:
    """A body in chunks, for `Transfer-Encoding: chunked`."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
