"""The in-process client must behave like a real client and a real server, or the laws tested with it mean nothing."""

import asyncio

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from tests.support.asgi import Client


class _Application:
    """Responds to `/drip` in three chunks, the later ones on demand, and reports how its client left."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.left = asyncio.Event()
        self.steps: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                self.steps.append(step)
                await send({"type": f"lifespan.{step}.complete"})
            return
        match scope["path"]:
            case "/raise":
                raise LookupError("before the head")
            case "/deaf":
                await asyncio.Event().wait()
            case "/echo":
                body = (await receive())["body"]
                await self._start(send)
                await send({"type": "http.response.body", "body": body})
            case "/silent":
                while (await receive())["type"] != "http.disconnect":
                    pass
                self.left.set()
            case _:
                await self._start(send)
                await send({"type": "http.response.body", "body": b"a", "more_body": True})
                await self.go_on.wait()
                await send({"type": "http.response.body", "body": b"b", "more_body": True})
                if scope["path"] == "/broken":
                    raise LookupError("in the middle")
                await send({"type": "http.response.body", "body": b"c"})

    async def _start(self, send: Send) -> None:
        headers = [(b"content-type", b"text/plain"), (b"vary", b"a"), (b"vary", b"b")]
        await send({"type": "http.response.start", "status": 207, "headers": headers})


async def test_the_client_hands_each_chunk_over_when_it_was_sent() -> None:
    """The first chunk arrives while the application is still waiting to send the second."""
    application = _Application()
    async with Client(application) as client, client.stream("GET", "/drip") as response:
        chunks = response.chunks()
        assert (response.status, response.headers["vary"]) == (207, "a, b")
        assert (await anext(chunks), response.complete) == (b"a", False)
        application.go_on.set()
        assert [chunk async for chunk in chunks] == [b"b", b"c"]
        assert response.complete
    assert application.steps == ["startup", "shutdown"]


async def test_the_client_sends_bodies_and_reads_whole_responses() -> None:
    """JSON gets its media type; other content is up to the caller."""
    async with Client(_Application()) as client:
        assert (await client.request("POST", "/echo", json={"a": 1})).json() == {"a": 1}
        assert (await client.request("POST", "/echo", content=b"\xff")).content == b"\xff"


async def test_who_leaves_early_is_a_client_that_disconnected() -> None:
    """Even before the head; also if the client's task is cancelled."""
    application = _Application()
    async with Client(application) as client:
        async with client.open("GET", "/silent"):
            assert not application.left.is_set()
        assert application.left.is_set()
    application = _Application()
    async with Client(application) as client:
        with anyio.move_on_after(0.01) as impatience:
            async with client.stream("GET", "/silent"):
                pass
        assert impatience.cancelled_caught
        assert application.left.is_set()


async def test_what_the_application_raises_surfaces() -> None:
    """Whether or not its response had started: an incomplete response is never taken for a complete one."""
    application = _Application()
    application.go_on.set()
    async with Client(application) as client:
        for path in ("/raise", "/broken"):
            with pytest.raises(LookupError):
                await client.request("GET", path)
    assert application.steps == ["startup", "shutdown"]


async def test_an_application_that_does_not_end_is_found_out() -> None:
    """It gets some time after its client has left, and is then cancelled."""
    async with Client(_Application(), patience_seconds=0.05) as client:
        with pytest.raises(AssertionError, match="after its client had left"):
            async with client.open("GET", "/deaf"):
                pass
