"""A TCP connection to a live server, on which a test can send anything, and read as slowly as it wants."""

import json
import select
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.support.addresses import CHAT, asked, cancel_of
from tests.support.stream import Transcript, check_stream

_PATIENCE_SECONDS = 60.0
"""The time limit for the complete response to what was sent last: far longer than it takes."""


def get(path: str, headers: Mapping[str, str] | None = None, *, close: bool = False) -> bytes:
    """A request without a body."""
    head = {"Host": "localhost"} | dict(headers or {}) | ({"Connection": "close"} if close else {})
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    return "\r\n".join(lines).encode()


def post(message: str, headers: Mapping[str, str] | None = None, path: str = CHAT) -> bytes:
    """A request to `streamChat` or, at its path, to another operation that replies to a message."""
    return request(json.dumps(asked(message, path)).encode(), headers, path)


def request(body: bytes, headers: Mapping[str, str] | None = None, path: str = CHAT) -> bytes:
    """A request with any body, to `streamChat` or another path."""
    head = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body))} | dict(
        headers or {}
    )
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def cancel(reply_id: str, headers: Mapping[str, str] | None = None) -> bytes:
    """A request to `cancelReply`, which has no body."""
    return get(cancel_of(reply_id), {"Content-Length": "0"} | dict(headers or {})).replace(b"GET", b"POST", 1)


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON has no narrower type
        """The body, parsed."""
        return json.loads(self.body)

    def transcript(self) -> Transcript:
        """The body as an event stream, checked against the contract.

        Raises `AssertionError`.
        """
        if self.status != 200:
            raise AssertionError(f"status {self.status} instead of a stream: {self.body!r}")
        return check_stream(self.body)

    def problem_code(self) -> str:
        """The problem's code, also in OpenAI's shape.

        Raises `AssertionError` if it is not a problem, or has a different status.
        """
        if self.headers.get("content-type") == "application/json" and "error" in self.json():
            return str(self.json()["error"]["code"])
        if self.headers.get("content-type") != "application/problem+json" or self.json()["status"] != self.status:
            raise AssertionError(f"not a problem but {self.status} {self.headers}: {self.body!r}")
        return str(self.json()["type"]).removeprefix("urn:problem:")


class Interrupted(Exception):
    """The server closed the connection in the middle of a response."""


class Wire:
    """The connection. A context manager."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        """Connect. `receive_buffer`: how many bytes the kernel takes for one who does not read (twice, it says)."""
        self._socket = socket.socket()
        self._socket.settimeout(_PATIENCE_SECONDS)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self._socket.connect(("127.0.0.1", port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # the server has just been killed
            self._socket.close()
            raise
        self._unread = b""
        self._patient_until = time.monotonic() + _PATIENCE_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._patient_until = time.monotonic() + _PATIENCE_SECONDS
        self._socket.sendall(data)

    def reset(self) -> None:
        """Close the connection with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def receive_until(self, marker: bytes) -> bytes:
        """Everything up to and including the marker; the rest is kept for later.

        Raises `Interrupted` if the server closes first.
        """
        while marker not in self._unread:
            if not (data := self._receive()):
                raise Interrupted(f"waiting for {marker!r}, there was only {self._unread!r:.500}")
            self._unread += data
        end = self._unread.index(marker) + len(marker)
        taken, self._unread = self._unread[:end], self._unread[end:]
        return taken

    def receive_at_most(self, count: int) -> bytes:
        """Up to `count` bytes; empty if the server has closed the connection."""
        if not self._unread:
            self._unread = self._receive()
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    def receive_rest(self) -> bytes:
        """Everything until the server closes the connection."""
        rest = []
        while data := self.receive_at_most(2**20):
            rest.append(data)
        return b"".join(rest)

    def is_quiet_for(self, seconds: float) -> bool:
        """Whether the server neither sends nor closes in this time. Nothing is consumed."""
        if self._unread:
            return False
        return not select.select([self._socket], [], [], seconds)[0]

    def answer(self, *, to_head: bool = False) -> Answer:
        """The next response; a response `to_head` has no body.

        Raises `Interrupted` if it is not complete.
        """
        status, headers = self.head()
        if to_head:
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while chunk := self.chunk():
                body += chunk
            return Answer(status, headers, body)
        if status == 204:
            return Answer(status, headers, b"")
        return Answer(status, headers, self._take(int(headers["content-length"])))

    def head(self) -> tuple[int, Mapping[str, str]]:
        """Status and headers of the next response."""
        status_line, *lines = self.receive_until(b"\r\n\r\n").decode("latin-1").split("\r\n")[:-2]
        pairs = (line.partition(":") for line in lines)
        return int(status_line.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}

    def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty if it was the last."""
        size = int(self.receive_until(b"\r\n"), 16)
        return self._take(size + 2)[:-2]

    def _take(self, count: int) -> bytes:
        while len(self._unread) < count:
            if not (data := self._receive()):
                raise Interrupted(f"there are {len(self._unread)} of {count} bytes: {self._unread!r:.500}")
            self._unread += data
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    def _receive(self) -> bytes:
        self._socket.settimeout(max(self._patient_until - time.monotonic(), 0.001))  # pings may go on for ever
        try:
            return self._socket.recv(2**16)
        except ConnectionResetError:
            return b""
