"""`scripts/load` finds what it is for: lost, doubled and changed words; and it harms nobody else's machine."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import httpx
import pytest

from scripts.loading.__main__ import on_this_machine
from tests.deploy.loading import load
from tests.support.addresses import CHAT
from tests.support.server import LiveServer
from tests.verify.faults import Asked, Fault
from tests.verify.proxy import FaultyProxy

_QUICK = ("--streams", "4", "--seconds", "1.5", "--pace-ms", "20", "--words", "10", "--every", "0.5")


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service."""
    with LiveServer("simulator") as server:
        yield server


def test_a_service_holds_and_nothing_is_left_of_it(server: LiveServer, tmp_path: Path) -> None:
    """All clients have done what they were to do: one for each card. The chart has a panel for each figure."""
    watched = ["--watch", str(server.process.pid), "--database", server.database_url.removeprefix("sqlite:///")]
    mix = ["--mix", "read=1,resume=3,watch=2,cancel=2,leave=2,bad=3"]
    status, said, figures = load(tmp_path, server.url, *_QUICK, *mix, *watched, "--streams", "13")
    assert status == 0, said
    assert {how.split()[0] for how in figures["ended"]} == {"read", "resume", "watch", "cancel", "leave", "bad"}
    assert figures["words"] > 100
    assert figures["looks"][0]["memory_mib"] > 0
    chart = (tmp_path / "load.svg").read_text("utf-8")
    for panel in ("Open streams", "Words a second", "Memory (USS)", "File descriptors", "Database"):
        assert panel in chart
    assert httpx.get(f"{server.url}/api/conversations", trust_env=False).json()["conversations"] == []


def _doubled(_: Asked, number: int, block: bytes) -> bytes:
    return block * 2 if number == 3 else block


def _dropped(_: Asked, number: int, block: bytes) -> bytes:
    return b"" if number == 3 else block


def _changed(_: Asked, number: int, block: bytes) -> bytes:
    return block.replace(b"data: ", b"data: x") if number == 3 else block


def _other_end(_: Asked, __: int, block: bytes) -> bytes:
    return block.replace(b'"text":"', b'"text":"So: ')


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (_doubled, "a word lost or doubled"),
        (_dropped, "a word lost or doubled"),
        (_changed, "another text"),
        (_other_end, "the end does not match"),
    ],
)
async def test_what_a_proxy_does_to_words_is_an_error(
    event: object, found: str, server: LiveServer, tmp_path: Path
) -> None:
    """The first of each kind is shown."""
    async with FaultyProxy(server.port, Fault(event=event)) as proxy:  # type: ignore[arg-type]  # it is one
        arguments = (tmp_path, proxy.url, *_QUICK, "--mix", "read=1")
        status, said, figures = await anyio.to_thread.run_sync(lambda: load(*arguments))
    assert status == 1, said
    assert set(figures["errors"]) == {f"read: {found}"}
    assert f"{found}: " in said


async def test_a_message_that_is_stored_twice_is_an_error(server: LiveServer, tmp_path: Path) -> None:
    """Though each client sees one conversation with one reply: the proxy sends every message a second time."""

    async def twice(asked: Asked) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"content-type": "application/json"}
            await client.post(f"{server.url}{asked.path}", content=asked.body, headers=headers)

    copies: list[asyncio.Task[None]] = []

    def request(asked: Asked) -> Asked:
        if asked.method == "POST" and asked.path == CHAT:
            copies.append(asyncio.create_task(twice(asked)))
        return asked

    async with FaultyProxy(server.port, Fault(request=request)) as proxy:
        arguments = (tmp_path, proxy.url, *_QUICK, "--mix", "read=1")
        status, said, figures = await anyio.to_thread.run_sync(lambda: load(*arguments))
    await asyncio.gather(*copies)
    assert status == 1, said
    assert set(figures["errors"]) == {"stored twice"}


def test_a_threshold_that_is_missed_is_told(server: LiveServer, tmp_path: Path) -> None:
    """A word comes when the next one begins, so the first one takes at least as long as the pace."""
    status, said, _ = load(tmp_path, server.url, *_QUICK, "--mix", "read=1", "--first-ms", "10")
    assert status == 1
    assert "first word: p99 is " in said


@pytest.mark.parametrize("address", ["http://192.0.2.1:8000", "http://0.0.0.0:8000", "https://127.0.0.1", "localhost"])
def test_another_machine_is_refused(address: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match="address"):
        on_this_machine(address)


def test_nothing_there_is_told_in_one_line(tmp_path: Path) -> None:
    """With what to do."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        status, said, _ = load(tmp_path, f"http://127.0.0.1:{reserved.getsockname()[1]}")
    assert (status, said.count("\n")) == (3, 1)
    assert "Next: start the service there" in said
