"""The table of clients matches what each of them does with a running service."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from scripts.clients.environment import ROOT
from scripts.clients.kinds import HERE
from tests.docs.pages import PAGES
from tests.sdk.asking import PROGRAMS, RECOMMENDED, SOURCES, Line, Program, answers, asked, words
from tests.support.cutting import Cut, CuttingProxy
from tests.support.server import LiveServer

_NASTY = [
    "hello",
    "one  two\n\n    indented\tcode\n  ",
    '42 true null "x" [DONE] -1.5e3 {"a": 1} []',
    "今日はいい天気ですね。 👩‍👩‍👧‍👦 e\u0301 สวัสดีครับ",
    "data: x\n\nevent: done\nid: 7\n: ping\n\u2028 lines \u2029 of \x85 other \x0b kinds \ufeff",
]
"""None starts with white space, which the service drops, or has a carriage return, which it turns into a line feed."""

_WORDS = ["eins ", "zwei ", "drei ", "vier ", "fünf"]
_FIRST_WORD_SECONDS = {"word by word": 30.0, "no": 3.0}
"""How long to wait for the first word of an endless reply, by what the table says: being wrong takes longer."""

_PAGE = PAGES["sdks.md"]
_ROWS = {re.sub(r"`|\*\*", "", row[0]): row for row in _PAGE.all_tables()[0]}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One server for all tests."""
    with LiveServer() as server:
        yield server


@pytest.fixture
async def http(server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client to compare with what is stored."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        yield http


@pytest.fixture
def every_generator(name: str, request: pytest.FixtureRequest) -> None:
    """Skip those that are not recommended: they take minutes, and change only when they are upgraded."""
    if name not in RECOMMENDED and not request.config.getoption("--generators"):
        pytest.skip("scripts/test --generators tests/sdk tries this one")


def test_the_table_has_every_client() -> None:
    """And no other."""
    assert list(SOURCES) == list(_ROWS)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.usefixtures("every_generator")
async def test_the_table_tells_what_a_client_does(
    name: str, program: Callable[[str], Program], server: LiveServer, http: httpx.AsyncClient
) -> None:
    """Each cell is the result of one trial."""
    client = program(name)
    label, *said = _ROWS[name]
    told = await answers(client, *_trials(server.url))
    assert _values(told[: len(_JSON)]) == ["one 42", "one 42", None]
    found = [
        await _streams(client, server, http, _FIRST_WORD_SECONDS[said[0]]),
        _is_exact(told[len(_JSON) : -2]),
        await _resumes(client, server),
        _types_errors(told[-2], told[-1]),
        "no" if client.complaint else "yes",
    ]
    assert said == found, f"the row has to be: | {' | '.join([label, *found])} |"


def test_what_the_prose_names_is_what_the_programs_do() -> None:
    """Each call and setting on the page occurs in a program's code, a client's code, or the contract."""
    named = {
        name for name in re.findall(r"`(\w{8,})`", _PAGE.prose.partition("## Tried by hand")[0]) if not name.isupper()
    }
    assert len(named) > 5
    code = "".join(_code())
    assert {name for name in named if name not in code} == set()


def _code() -> Iterator[str]:
    yield (ROOT / "generated" / "openapi-3.1.json").read_text("utf-8")
    for folder in (PROGRAMS, HERE):
        yield from (
            path.read_text("utf-8") for path in folder.rglob("*") if path.suffix in {".py", ".ts", ".json", ".mjs"}
        )


async def _streams(client: Program, server: LiveServer, http: httpx.AsyncClient, patience_seconds: float) -> str:
    """Whether it reports a word while the bot never sends the next one."""
    before = await _conversations(http)
    async with asked(client, _asks(server.url, "/simulate stall_after=2\none two three")) as lines:
        first = asyncio.ensure_future(anext(lines))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(first), patience_seconds)
        has_streamed = first.done()
        (conversation,) = await _conversations(http) - before
        messages = (await http.get(f"/api/conversations/{conversation}")).json()["messages"]
        (await http.post(f"/api/replies/{messages[1]['reply_id']}/cancel")).raise_for_status()
        told = [await first, *[line async for line in lines]]
    return "word by word" if has_streamed and told[0].get("word") == "one " else "no"


_JSON = ("createReply", "getReply", "cancelReply")


def _trials(url: str) -> list[dict[str, Any]]:
    """A reply as JSON, its cancellation, texts to be reported exactly, and two problems."""
    asks = _asks(url, "one 42") | {"reply_id": _reply(url)}
    return [
        *[asks | {"operation": operation} for operation in _JSON],
        *[_asks(url, text) for text in _NASTY],
        _asks(url) | {"operation": "getConversation", "conversation_id": "0" * 32},
        _asks(url, "/simulate status=503\nhello") | {"retries": 0},
    ]


def _reply(url: str) -> str:
    answer = httpx.post(f"{url}/api/replies", json={"user_message": "one 42"}, trust_env=False)
    return str(answer.json()["reply_id"])


def _is_exact(told: list[list[Line]]) -> str:
    """Whether its words add up to the text."""
    if any("whole" in lines[0] for lines in told):
        assert all(f'"text":"{text[:5]}' in lines[0]["whole"] for lines, text in zip(told, _NASTY, strict=True))
        return "raw events"
    for lines, text in zip(told, _NASTY, strict=True):
        assert _end(lines, "done")["text"] == text
    texts = [words(lines) for lines in told]
    exact = [all(isinstance(word, str) for word in said) and "".join(said) for said in texts] == _NASTY
    return "yes" if exact else "no"


async def _resumes(client: Program, server: LiveServer) -> str:
    """What it does when its connection is cut in the third word, and when told where to resume."""
    told = await _cut_off(client, server, Cut(3, 7))
    if _end(told, "done"):
        assert words(told) == _WORDS
        assert _end(told, "done")["text"] == "".join(_WORDS)
        told = await _cut_off(client, server, Cut(3, 7, cleanly=True))
        return "by itself" if words(told) == _WORDS and _end(told, "done") else "not after a clean end"
    assert "cut" in told[-1]
    assert words(told) == _WORDS[: len(words(told))]
    if not words(told):
        return "no"
    (rest,) = await answers(client, _asks(server.url, "the same again") | {"cursor": told[-2]["id"]})
    assert words(told) + words(rest) == _WORDS
    return "with `Last-Event-ID`"


async def _cut_off(client: Program, server: LiveServer, cut: Cut) -> list[Line]:
    async def at_once(_: int) -> None:
        pass

    async with CuttingProxy(server.port, [cut], at_once) as proxy:
        (told,) = await answers(client, _asks(proxy.url, f"/simulate pace_ms=20\n{''.join(_WORDS)}"))
    return told


def _types_errors(other: list[Line], stream: list[Line]) -> str:
    """Whether problems have the contract's type, for streaming operations and others."""
    assert (other[-1]["status"], other[-1]["refused"]) == (404, "urn:problem:conversation-not-found")
    typed = [other[-1]["typed"], _is_typed(stream[-1])]
    return {(True, True): "yes", (True, False): "not of streams", (False, False): "no"}[tuple(typed)]


def _values(told: list[list[Line]]) -> list[Any]:
    return [lines[0]["result"] if lines else None for lines in told]


def _is_typed(line: Line) -> bool:
    return bool(line.get("typed"))


def _asks(url: str, message: str = "") -> dict[str, Any]:
    return {"operation": "streamChat", "url": url, "key": None, "message": message}


def _end(lines: list[Line], name: str) -> Any:  # noqa: ANN401 - as JSON has it
    return lines[-1].get(name)


async def _conversations(http: httpx.AsyncClient) -> set[str]:
    page = (await http.get("/api/conversations?limit=100")).json()
    return {conversation["conversation_id"] for conversation in page["conversations"]}
