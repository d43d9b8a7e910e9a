"""An in-process client for ASGI applications that really streams.

httpx's transport for ASGI buffers the whole response, so it cannot test streams. Here the application runs as a task of
its own next to the test; each chunk is passed on when it is sent, and leaving a response early is a disconnect to the
application. Every wait has a time limit.
"""

import asyncio
import json as jsonlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import anyio
from starlette.types import ASGIApp, Message, Scope

from app.http.immediate import offering
from tests.support.stream import Transcript, check_stream

PATIENCE_SECONDS = 60.0
"""How long the client waits for anything: far longer than it takes."""

_JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON has no narrower type
        """The body, parsed."""
        return jsonlib.loads(self.content)

    def transcript(self) -> Transcript:
        """The body as an event stream, checked against the contract.

        Raises `AssertionError`.
        """
        if self.status != 200:
            raise AssertionError(f"status {self.status} instead of a stream: {self.content!r}")
        return check_stream(self.content)


class Response:
    """A response as it arrives: first `await head()`, then `chunks()`."""

    def __init__(self, patience_seconds: float) -> None:
        """Start before the head."""
        self.status = 0
        self.headers: dict[str, str] = {}
        """By lower-case name; repeated headers are joined with commas."""
        self.complete = False
        """Whether the application has sent the last chunk."""
        self._patience_seconds = patience_seconds
        self._begun = asyncio.Event()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._left = asyncio.Event()
        self._tell_gone: Callable[[], None] | None = None

    async def head(self) -> Self:
        """Wait for status and headers. Returns at once if they have arrived, or if the application ended without."""
        with anyio.fail_after(self._patience_seconds):
            await self._begun.wait()
        return self

    async def chunks(self) -> AsyncIterator[bytes]:
        """The chunks as they were sent, up to the last one."""
        while True:
            with anyio.fail_after(self._patience_seconds):
                chunk = await self._chunks.get()
            if chunk is None:
                return
            yield chunk

    async def read(self) -> bytes:
        """The remaining chunks, joined."""
        return b"".join([chunk async for chunk in self.chunks()])

    def leave(self) -> None:
        """Disconnect: the application is notified, and whatever it still sends is dropped."""
        self._left.set()
        if self._tell_gone is not None and not self.complete:
            self._tell_gone()

    async def _take(self, message: Message) -> None:
        if self._left.is_set():
            return  # like uvicorn
        if message["type"] == "http.response.start":
            if self._begun.is_set():
                raise AssertionError("the application started its response twice")
            self.status = message["status"]
            for raw_name, raw_value in message.get("headers", []):
                name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
                self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
            self._begun.set()
            return
        if message["type"] != "http.response.body" or not self._begun.is_set() or self.complete:
            raise AssertionError(f"the application sent {message['type']} out of turn")
        if message.get("body"):
            self._chunks.put_nowait(message["body"])
        if not message.get("more_body", False):
            self.complete = True
            self._chunks.put_nowait(None)

    def _end(self) -> None:
        """Called when the application has returned."""
        self._begun.set()
        self._chunks.put_nowait(None)


class _Exchange:
    """The extension of `app.http.immediate`, for a response."""

    def __init__(self, response: Response, writes: Callable[[], bool]) -> None:
        self._response = response
        self._writes = writes

    def whole_body(self) -> bytes | None:
        return None  # it is received

    def write(self, body: bytes) -> bool:
        response = self._response
        if response._left.is_set() or response.complete or not response._begun.is_set() or not self._writes():  # noqa: SLF001
            return False
        response._chunks.put_nowait(body)  # noqa: SLF001
        return True

    def when_gone(self, tell: Callable[[], None]) -> None:
        self._response._tell_gone = tell  # noqa: SLF001
        if self._response._left.is_set():  # noqa: SLF001
            tell()

    def cut_off(self) -> None:
        self._response.leave()
        self._response._end()  # noqa: SLF001


class Client:
    """Runs an application's lifespan around its requests. An async context manager, entered once."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        writes: Callable[[], bool] | None = None,
    ) -> None:
        """`patience_seconds`: how long to wait for anything that the application should do.

        With `writes`, it has the extension of `app.http.immediate`, and is asked for each piece whether to accept it.
        """
        self._app = app
        self._writes = writes
        self._patience_seconds = patience_seconds
        self._to_lifespan: asyncio.Queue[Message] = asyncio.Queue()
        self._from_lifespan: asyncio.Queue[Message] = asyncio.Queue()
        self._lifespan: asyncio.Future[None]
        self._is_down = False
        self._state: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        """Start the application."""
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        running = self._app(scope, self._to_lifespan.get, self._from_lifespan.put)
        self._lifespan = asyncio.ensure_future(running)
        await self._lifespan_step("startup")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shut the application down; exceptions that it raises meanwhile propagate."""
        with anyio.CancelScope(shield=True):
            await self.shut_down()

    async def shut_down(self) -> None:
        """Shut the application down before the end of the block; does nothing the second time."""
        if not self._is_down:
            self._is_down = True
            await self._lifespan_step("shutdown")
            await self._ended(self._lifespan)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        json: _JSON | None = None,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Response, None]:
        """Send a request, without waiting for the head of the response.

        At the end of the block the client disconnects. The application must then return, and its exception propagates.
        """
        if json is not None:
            content, headers = jsonlib.dumps(json).encode(), {"content-type": "application/json"} | dict(headers or {})
        response = Response(self._patience_seconds)
        scope = _scope(method, path, content, headers or {}, self._state)
        if (writes := self._writes) is not None:
            scope["extensions"] = offering(_Exchange(response, writes))
        task = asyncio.ensure_future(self._run(scope, content, response))
        try:
            yield response
        finally:
            response.leave()
            with anyio.CancelScope(shield=True):
                await self._ended(task)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        json: _JSON | None = None,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Response, None]:
        """Send a request, and wait for the head of the response; otherwise like `open`."""
        async with self.open(method, path, json=json, content=content, headers=headers) as response:
            yield await response.head()

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: _JSON | None = None,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Whole:
        """Send a request and read the whole response. A body in response to HEAD is dropped, as by a server."""
        async with self.open(method, path, json=json, content=content, headers=headers) as response:
            with anyio.fail_after(self._patience_seconds):  # pings alone could go on for ever
                body = await (await response.head()).read()
        if not response.complete:
            raise AssertionError("the application ended before its response was complete")
        return Whole(response.status, response.headers, b"" if method == "HEAD" else body)

    async def _run(self, scope: Scope, content: bytes, response: Response) -> None:
        body: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

        async def receive() -> Message:
            if body:
                return body.pop()
            await response._left.wait()  # noqa: SLF001 - the other half of this module
            return {"type": "http.disconnect"}

        try:
            await self._app(scope, receive, response._take)  # noqa: SLF001
        finally:
            response._end()  # noqa: SLF001

    async def _ended(self, task: asyncio.Future[None]) -> None:
        """Wait for a task of the application, and raise its exception."""
        _, running = await asyncio.wait({task}, timeout=self._patience_seconds)
        if running:
            what = "\n".join(map(str, asyncio.all_tasks()))
            task.cancel()
            await asyncio.wait({task}, timeout=self._patience_seconds)
            raise AssertionError(
                f"the application went on for {self._patience_seconds} s after its client had left. Its tasks:\n{what}"
            )
        task.result()

    async def _lifespan_step(self, step: str) -> None:
        self._to_lifespan.put_nowait({"type": f"lifespan.{step}"})
        answer = asyncio.ensure_future(self._from_lifespan.get())
        either: set[asyncio.Future[Any]] = {answer, self._lifespan}
        await asyncio.wait(either, timeout=self._patience_seconds, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            await self._ended(self._lifespan)
            raise AssertionError(f"the application did not answer lifespan.{step}")
        message = answer.result()
        if message["type"] != f"lifespan.{step}.complete":
            raise AssertionError(f"the application answered lifespan.{step} with {message}")


def _scope(method: str, path: str, content: bytes, headers: Mapping[str, str], state: dict[str, Any]) -> Scope:
    raw_path, _, query = path.partition("?")
    raw_headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    names = {name for name, _ in raw_headers}
    if b"host" not in names:
        raw_headers.append((b"host", b"testserver"))
    if content and not names & {b"content-length", b"transfer-encoding"}:
        raw_headers.append((b"content-length", str(len(content)).encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw_path,
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": raw_headers,
        "client": ("127.0.0.1", 50_000),
        "server": ("testserver", 80),
        "state": dict(state),
    }
