"""What of a response is written to a connection, and when."""

import asyncio
from typing import Any, cast

import pytest
from typing_extensions import override
from uvicorn._types import ASGISendEvent

from app.server.exchange import Exchange
from app.server.signals import Flow, Signal

_START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
_HEAD = b"HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n"


class _Connection(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    @override
    def close(self) -> None:
        self.is_closed = True


class _Response:
    """A response on a connection."""

    def __init__(self) -> None:
        self.connection = _Connection()
        self.flow = Flow(self.connection)
        self.exchange = Exchange(
            scope={"type": "http", "method": "POST", "http_version": "1.1"},
            transport=self.connection,
            flow=self.flow,
            logger=None,
            access_logger=None,
            access_log=False,
            default_headers=[],
            message_event=Signal(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=lambda: None,
        )

    async def send(self, body: bytes | None = None, *, more: bool = True) -> None:
        message = _START if body is None else {"type": "http.response.body", "body": body, "more_body": more}
        await self.exchange.send(cast("ASGISendEvent", message))


async def test_the_head_leaves_with_the_first_piece_of_the_body() -> None:
    """A system call costs about as much as all else that is done for a short reply's body."""
    response = _Response()
    await response.send()
    assert not response.connection.writes
    assert not response.exchange.write(b"too early")
    await response.send(b"one")
    await response.send(b"two", more=False)
    assert response.connection.writes == [_HEAD + b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n"]


async def test_the_head_of_an_empty_response_leaves_with_its_end() -> None:
    """Else nobody would ever see it."""
    response = _Response()
    await response.send()
    await response.send(b"", more=False)
    assert response.connection.writes == [_HEAD + b"0\r\n\r\n"]


async def test_a_response_that_is_cut_off_before_its_body_has_a_head() -> None:
    """A client that has seen it resumes; one that has seen nothing might ask for another reply."""
    response = _Response()
    await response.send()
    response.exchange.cut_off()
    await response.send(b"too late")
    assert response.connection.writes == [_HEAD]
    assert response.connection.is_closed


@pytest.mark.parametrize("ending", ["complete", "lost"])
async def test_a_piece_is_written_at_once_only_while_the_client_reads(ending: str) -> None:
    """What is not written goes through `send`, which waits."""
    response = _Response()
    await response.send()
    await response.send(b"one")
    response.flow.pause_writing()
    response.exchange.look()
    assert not response.exchange.write(b"two")
    response.flow.resume_writing()
    response.exchange.look()
    assert response.exchange.write(b"two")
    if ending == "complete":
        await response.send(b"", more=False)
    else:
        response.exchange.lose()
    written = list(response.connection.writes)
    response.exchange.look()  # a connection's buffer may be empty only then
    assert not response.exchange.write(b"three")
    assert response.connection.writes == written
    assert b"".join(written).startswith(_HEAD + b"3\r\none\r\n3\r\ntwo\r\n")


async def test_a_client_that_reads_too_slowly_from_the_start_gets_its_first_piece_through_send() -> None:
    """The connection's buffer may still be full of the response before."""
    response = _Response()
    await response.send()
    response.flow.pause_writing()
    response.exchange.look()
    sending = asyncio.create_task(response.send(b"one"))
    await asyncio.sleep(0)
    assert not response.connection.writes
    response.flow.resume_writing()
    response.exchange.look()
    assert not response.exchange.write(b"too early")
    await sending
    assert response.exchange.write(b"two")
    assert response.connection.writes == [_HEAD + b"3\r\none\r\n", b"3\r\ntwo\r\n"]
