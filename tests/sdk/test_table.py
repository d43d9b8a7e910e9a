"""The README's table of clients says what is found here, when each of them asks a running service."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from scripts.clients.kinds import HERE
from tests.docs.readme import PROSE, table
from tests.sdk.asking import PROGRAMS, SOURCES, Line, Program, answers, asked, words
from tests.support.cutting import Cut, CuttingProxy
from tests.support.server import LiveServer

_NASTY = [
    "hello",
    "one  two\n\n    indented\tcode\n  ",
    '42 true null "x" [DONE] -1.5e3 {"a": 1} []',
    "今日はいい天気ですね。 👩‍👩‍👧‍👦 e\u0301 สวัสดีครับ",
    "data: x\n\nevent: done\nid: 7\n: ping\n\u2028 lines \u2029 of \x85 other \x0b kinds \ufeff",
]
"""None begins with white space, which the service drops, or has a carriage return, of which it makes a line feed."""

_WORDS = ["eins ", "zwei ", "drei ", "vier ", "fünf"]
_FIRST_WORD_SECONDS = {"word by word": 30.0, "no": 3.0}
"""How long to wait for the first word of a reply that never ends, by what the table says: to be wrong takes longer."""

_LABELS = [re.sub(r"`|\*\*", "", row[0]) for row in table("SDKs")]


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One server for all."""
    with LiveServer() as server:
        yield server


@pytest.fixture
async def http(server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    """Who asks the service what was said."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        yield http


def test_the_table_has_every_client() -> None:
    """And no other."""
    assert list(SOURCES) == _LABELS


@pytest.mark.parametrize("name", SOURCES)
async def test_the_table_tells_what_a_client_does(
    name: str, program: Callable[[str], Program], server: LiveServer, http: httpx.AsyncClient
) -> None:
    """Each cell is what one trial has found."""
    client = program(name)
    label, *said = table("SDKs")[_LABELS.index(name)]
    found = [
        await _streams(client, server, http, _FIRST_WORD_SECONDS[said[0]]),
        await _is_exact(client, server),
        await _resumes(client, server),
        await _types_errors(client, server),
        "no" if client.complaint else "yes",
    ]
    assert said == found, f"the row has to be: | {' | '.join([label, *found])} |"


def test_what_the_prose_names_is_what_the_programs_do() -> None:
    """Each call and setting that the section names stands in a program's code, or beside a client's."""
    section = PROSE.partition("## SDKs\n")[2].partition("\n## ")[0]
    named = {name for name in re.findall(r"`(\w{8,})`", section) if not name.isupper()}
    assert len(named) > 5
    code = "".join(_code())
    assert {name for name in named if name not in code} == set()


def _code() -> Iterator[str]:
    for folder in (PROGRAMS, HERE):
        yield from (
            path.read_text("utf-8") for path in folder.rglob("*") if path.suffix in {".py", ".ts", ".json", ".mjs"}
        )


async def _streams(client: Program, server: LiveServer, http: httpx.AsyncClient, patience_seconds: float) -> str:
    """Whether it tells a word while the bot has not said the next one, and never will."""
    before = await _conversations(http)
    async with asked(client, _asks(server.url, "/simulate stall_after=2\none two three")) as lines:
        first = asyncio.ensure_future(anext(lines))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(first), patience_seconds)
        has_streamed = first.done()
        (conversation,) = await _conversations(http) - before
        messages = (await http.get(f"/api/conversations/{conversation}")).json()["messages"]
        (await http.delete(f"/api/replies/{messages[1]['reply_id']}")).raise_for_status()
        told = [await first, *[line async for line in lines]]
    return "word by word" if has_streamed and told[0].get("word") == "one " else "no"


async def _is_exact(client: Program, server: LiveServer) -> str:
    """Whether what it tells as words gives the text."""
    told = await answers(client, *[_asks(server.url, text) for text in _NASTY])
    if any("whole" in lines[0] for lines in told):
        assert all(f'"text":"{text[:5]}' in lines[0]["whole"] for lines, text in zip(told, _NASTY, strict=True))
        return "raw events"
    for lines, text in zip(told, _NASTY, strict=True):
        assert _end(lines, "done")["text"] == text
    texts = [words(lines) for lines in told]
    exact = [all(isinstance(word, str) for word in said) and "".join(said) for said in texts] == _NASTY
    return "yes" if exact else "no"


async def _resumes(client: Program, server: LiveServer) -> str:
    """What it does when its connection is cut in the third word, and when it is told where to go on."""
    text = "".join(_WORDS)

    async def at_once(_: int) -> None:
        pass

    async with CuttingProxy(server.port, [Cut(3, 7)], at_once) as proxy:
        (told,) = await answers(client, _asks(proxy.url, f"/simulate pace_ms=20\n{text}"))
    if _end(told, "done"):
        assert words(told) == _WORDS
        assert _end(told, "done")["text"] == text
        return "by itself"
    assert "cut" in told[-1]
    assert words(told) == _WORDS[: len(words(told))]
    if not words(told):
        return "no"
    (rest,) = await answers(client, _asks(server.url, "the same again") | {"cursor": told[-2]["id"]})
    assert words(told) + words(rest) == _WORDS
    return "with `Last-Event-ID`"


async def _types_errors(client: Program, server: LiveServer) -> str:
    """Whether problems come as the contract's type, of operations that stream and of others."""
    (other,) = await answers(client, _asks(server.url) | {"operation": "getConversation", "conversation_id": "0" * 32})
    (stream,) = await answers(client, _asks(server.url, "/simulate status=503\nhello"))
    assert (other[-1]["status"], other[-1]["refused"]) == (404, "urn:problem:conversation-not-found")
    typed = [other[-1]["typed"], _is_typed(stream[-1])]
    return {(True, True): "yes", (True, False): "not of streams", (False, False): "no"}[tuple(typed)]


def _is_typed(line: Line) -> bool:
    if "failed" in line:  # hey-api, with `events.ts`
        return bool(line["failed"]["type"] == "urn:problem:bot-unavailable")
    return bool(line.get("typed"))


def _asks(url: str, message: str = "") -> dict[str, Any]:
    return {"operation": "streamChat", "url": url, "key": None, "message": message}


def _end(lines: list[Line], name: str) -> Any:  # noqa: ANN401 - as JSON has it
    return lines[-1].get(name)


async def _conversations(http: httpx.AsyncClient) -> set[str]:
    page = (await http.get("/api/conversations?limit=100")).json()
    return {conversation["conversation_id"] for conversation in page["conversations"]}
