"""The two recommended clients support the whole contract, and their transcripts are exact."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from scripts.clients.kinds import CONTRACT
from tests.sdk.asking import RECOMMENDED, Line, Program, answers, asked, words
from tests.support.cutting import Cut, CuttingProxy
from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.server import LiveServer
from tests.support.texts import normalised, texts

_SILENT = "/simulate stall_after=2\none two three"
"""It completes one word, because the second is unfinished, and is then silent for ever."""
_END = 10_000
"""More bytes than an event has."""
_CUTS = {
    "in words": [Cut(3, 7), Cut(2, 8, cleanly=True)],
    "in ids": [Cut(3, -20, cleanly=True), Cut(2, -2)],
    "behind words": [Cut(1, _END), Cut(4, _END, cleanly=True)],
    "in done, and behind it": [Cut(6, 30, cleanly=True), Cut(1, -1)],
}
_WORDS = ["Hallo, ", "世", "界! ", "42 ", "sagt:\n    "]
_LATER = {
    "deleteConversations",
    "exportConversation",
    "exportConversationAsMarkdown",
    "getMetrics",
    "getService",
    "giveFeedback",
    "updateConversation",
    "withdrawFeedback",
}
"""Operations since 0.2.0. The programs also run with clients of that version, which do not have them."""
_NOBODYS = "0" * 32
_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "conversation": ({"operation": "getConversation", "conversation_id": _NOBODYS}, "conversation-not-found"),
    "forgetting": ({"operation": "deleteConversation", "conversation_id": _NOBODYS}, "conversation-not-found"),
    "stopping": ({"operation": "cancelReply", "reply_id": _NOBODYS}, "reply-not-found"),
    "reply": ({"operation": "streamReply", "reply_id": _NOBODYS}, "reply-not-found"),
    "waiting": ({"operation": "createReply", "message": "/simulate status=503\nhello"}, "bot-unavailable"),
    "bot is down": (
        {"operation": "streamChat", "message": "/simulate status=503\nhello", "retries": 0},
        "bot-unavailable",
    ),
    "bot fails": ({"operation": "streamChat", "message": "/simulate fail_after=1\none two"}, "bot-failed"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One server for all tests without keys. It does not wait for readers who left."""
    with LiveServer(resume_window_seconds=5) as server:
        yield server


@pytest.fixture
async def http(server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client to compare with what is stored."""
    headers = {"Accept": "application/json"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=30) as http:
        yield http


@pytest.fixture(params=RECOMMENDED)
def client(request: pytest.FixtureRequest, program: Callable[[str], Program]) -> Program:
    """Each of the two."""
    return program(request.param)


def test_its_types_are_strict(client: Program) -> None:
    """Its own types, and those of a program that uses all of it."""
    assert client.complaint == ""


async def test_it_has_every_operation_and_sends_the_key(client: Program) -> None:
    """On a service that requires one for everything but health and readiness."""
    database_url = fresh_database_url()
    key, _ = await made_key(database_url)
    with LiveServer(database_url=database_url) as server:
        (told,) = await answers(client, _asks(server, "streamChat", message="one 42", key=key))
        reply = told[-1]["done"]
        ids = {"conversation_id": reply["conversation_id"], "reply_id": reply["reply_id"]}
        results: dict[str, Sequence[Any]] = {
            "getHealth": ["The server is up and running."],
            "getReadiness": ["The server takes new replies."],
            "listConversations": [[reply["conversation_id"]]],
            "getConversation": [["one 42", "one 42"]],
            "getReply": ["one 42"],
            "createReply": ["three"],
            "streamReply": ["one ", "42", reply],
            "cancelReply": [],
            "deleteConversation": [],
        }
        assert {"streamChat", *results, *_LATER} == _operations()
        asks = [_asks(server, operation, key=key, message="three", **ids) for operation in results]
        said = await answers(client, *asks)
        assert words(told) == ["one ", "42"]
        assert dict(zip(results, map(_values, said), strict=True)) == results
        async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": bearer(key)}) as http:
            assert (await http.get("/api/conversations")).json() == {"conversations": []}
        for wrong, problem in ((None, "credentials-missing"), ("chat_0_0", "invalid-token")):
            asks = [_asks(server, name, key=wrong, message="three", **ids) for name in list(results)[2:]]
            refused = await answers(client, *asks)
            assert [_problem(lines[-1]) for lines in refused] == [f"urn:problem:{problem}"] * len(asks)


# An example has many texts, so that the program starts only a few times. It is not shrunk on failure.
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(said=st.lists(texts.filter(lambda text: normalised(text) != "" and "\0" not in text), min_size=40, max_size=40))
async def test_its_transcripts_are_the_truth(
    client: Program, server: LiveServer, http: httpx.AsyncClient, said: list[str]
) -> None:
    """The words, joined, are the text of `done`, of the reply as JSON, and of the stored message."""
    assume(not any(text.startswith("/simulate") for text in said))
    told = await answers(client, *[_asks(server, "streamChat", message=text) for text in said])
    end: dict[str, Any] = {}
    for text, lines in zip(said, told, strict=True):
        end = lines[-1]["done"]
        assert "".join(words(lines)) == end["text"] == normalised(text)
        assert [line["id"] for line in lines[:-1]] == [f"{end['reply_id']}:{n}" for n in range(1, len(lines))]
    reply = (await http.get(f"/api/replies/{end['reply_id']}")).json()
    conversation = (await http.get(f"/api/conversations/{end['conversation_id']}")).json()
    assert reply["text"] == conversation["messages"][1]["text"] == normalised(said[-1])


async def test_it_tells_a_word_while_the_bot_is_silent_and_stops_the_reply(client: Program, server: LiveServer) -> None:
    """The word arrives before the next one is generated, and the reader learns that the reply was cancelled."""
    async with asked(client, _asks(server, "streamChat", message=_SILENT)) as lines:
        first = await anext(lines)
        reply_id = first["id"].partition(":")[0]
        assert first["word"] == "one "
        await answers(client, _asks(server, "cancelReply", reply_id=reply_id))
        rest = [line async for line in lines]
    done = rest[-2]["done"]
    assert (done["reply_id"], done["finish_reason"]) == (reply_id, "cancelled")
    assert "".join(words([first, *rest])) == done["text"]


async def test_who_leaves_after_a_word_has_left(client: Program, http: httpx.AsyncClient) -> None:
    """While its program goes on. Otherwise the reply would go on, too, because its bot is silent."""
    with LiveServer(resume_window_seconds=0) as server:
        left, busy = (
            _asks(server, "streamChat", message=_SILENT, leave=True),
            _asks(server, "streamChat", message=_SILENT),
        )
        async with asked(client, left, busy) as lines:
            reply_id = (await anext(lines))["id"].partition(":")[0]
            assert await anext(lines) == {"end": "streamChat"}
            reply = {"state": "running"}
            async with asyncio.timeout(60):
                while reply["state"] == "running":  # the service has to notice it first
                    reply = (await http.get(f"{server.url}/api/replies/{reply_id}")).json()
    assert reply["finish_reason"] == "abandoned"


@pytest.mark.parametrize("cuts", _CUTS.values(), ids=_CUTS)
async def test_it_resumes_wherever_it_is_cut_off(
    client: Program, server: LiveServer, http: httpx.AsyncClient, cuts: list[Cut]
) -> None:
    """By itself, with the last word's id; no word is lost or repeated, and there is one reply.

    One of two connections seems to end cleanly, as behind a proxy that hides the loss of its server.
    """
    text = "".join(_WORDS)
    before = await _conversations(http)
    heard: list[Line] = []
    news = asyncio.Condition()

    async def has_heard(events: int) -> None:
        # A client that only looks at whole chunks does not report what arrives in one chunk with the cut.
        async with news:
            await news.wait_for(lambda: len(heard) >= min(events, len(_WORDS)))

    async with (
        CuttingProxy(server.port, cuts, has_heard) as proxy,
        asked(
            client, _asks(server, "streamChat", message=f"/simulate pace_ms=10\n{text}") | {"url": proxy.url}
        ) as lines,
    ):
        async for line in lines:
            async with news:
                heard.append(line)
                news.notify_all()
    assert words(heard) == _WORDS
    (conversation_id,) = await _conversations(http) - before
    done = heard[-2]["done"]
    assert (done["text"], done["conversation_id"]) == (text, conversation_id)
    assert [request.get("last-event-id") for request in proxy.requests[1:]] == [
        f"{done['reply_id']}:{n}" for n in _resumed_after(cuts)
    ]


@pytest.mark.parametrize("cut", [Cut(0, 60), Cut(1, 3)], ids=["in the head", "in the first word"])
async def test_with_a_key_a_cut_before_the_first_word_makes_no_second_reply(
    client: Program, server: LiveServer, http: httpx.AsyncClient, cut: Cut
) -> None:
    """hey-api's client retries by itself; the other one reports the cut, and is called again here."""
    before = await _conversations(http)

    async def at_once(_: int) -> None:
        pass

    async with CuttingProxy(server.port, [cut], at_once) as proxy:
        asks = _asks(server, "streamChat", message="one 42", idempotency_key=secrets.token_hex()) | {"url": proxy.url}
        told = await answers(client, asks, asks)
    assert [words(lines) for lines in told] in ([["one ", "42"]] * 2, [[], ["one ", "42"]])
    assert bool(words(told[0])) != ("cut" in told[0][-1])
    assert len(await _conversations(http) - before) == 1


def _resumed_after(cuts: Sequence[Cut]) -> Iterator[int]:
    """How many complete words had arrived before each cut."""
    words = 0
    for cut in cuts:
        words += cut.event if cut.byte == _END else cut.event - 1
        yield words


async def test_problems_come_as_the_contracts_type(client: Program, server: LiveServer) -> None:
    """Whether they come as a status or as the event `failed`."""
    told = await answers(client, *[_asks(server, **what) for what, _ in _REFUSED.values()])
    found = {name: _problem(lines[-1]) for name, lines in zip(_REFUSED, told, strict=True)}
    assert found == {name: f"urn:problem:{code}" for name, (_, code) in _REFUSED.items()}


def _operations() -> set[str]:
    """All operations that clients are generated for, but `HEAD`, which is for proxies and monitors."""
    paths = json.loads((CONTRACT.parent / "generated" / "openapi-3.1.json").read_text("utf-8"))["paths"].values()
    methods = ("get", "post", "put", "patch", "delete")
    return {item[method]["operationId"] for item in paths for method in methods if method in item}


def _asks(server: LiveServer, operation: str, **what: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON has it
    return {"operation": operation, "url": server.url, "key": None} | what


def _problem(line: Line) -> Any:  # noqa: ANN401 - as JSON has it
    """Its type, if it is an object of the contract's type."""
    return line["typed"] and line["refused"]


def _values(lines: Sequence[Line]) -> list[Any]:
    return [next(iter(line.values())) for line in lines]


async def _conversations(http: httpx.AsyncClient) -> set[str]:
    page = (await http.get("/api/conversations?limit=100")).json()
    return {conversation["conversation_id"] for conversation in page["conversations"]}
