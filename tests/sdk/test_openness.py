"""The recommended clients, generated from the last released contract, work with a server that sends more.

Until a contract that promises this is released (0.2.0), the clients are generated from the current contract.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.clients.environment import ROOT
from scripts.clients.kinds import CONTRACT
from tests.sdk.asking import RECOMMENDED, SOURCES, Program, answers, prepared, words
from tests.sdk.newer import NEWER, PROBLEM, REASON
from tests.support.server import LiveServer

_PROMISED = (0, 2, 0)


def _version(released: Path) -> tuple[int, ...]:
    return tuple(map(int, released.stem.split(".")))


def _released() -> Path:
    released = max((ROOT / "generated" / "released").glob("*.yaml"), key=_version)
    return released if _version(released) >= _PROMISED else CONTRACT


@pytest.fixture
def server() -> Iterator[LiveServer]:
    """A server with only this test's conversations."""
    with LiveServer(program=NEWER) as server:
        yield server


@pytest.fixture(scope="module", params=RECOMMENDED)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Each of the two."""
    return prepared(SOURCES[request.param], tmp_path_factory.mktemp("released"), _released())


def test_the_server_sends_more(server: LiveServer) -> None:
    """In every response; otherwise the other test would show nothing."""
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        reply = http.post("/api/replies", json={"user_message": "one"}).json()
        events = http.post("/api/chat", json={"user_message": "one two"}).text
        problem = http.get("/api/nothing").json()
        conversation = http.get(f"/api/conversations/{reply['conversation_id']}").json()
        for sent in (reply, problem, conversation, conversation["messages"][1], http.get("/api/health").json()):
            assert "of_next_year" in sent
    assert (reply["finish_reason"], problem["type"]) == (REASON, PROBLEM)
    assert events.count("event: thought\n") == 3
    assert '"of_next_year"' in events.partition("event: done\n")[2]


async def test_old_clients_understand_a_newer_server(client: Program, server: LiveServer) -> None:
    """Unknown fields, events and problem types are ignored."""
    (told,) = await answers(client, _asks(server, "streamChat", message="one 42"))
    done = told[-1]["done"]
    ids = {"conversation_id": done["conversation_id"], "reply_id": done["reply_id"]}
    results: dict[str, list[Any]] = {
        "getHealth": ["The server is up and running."],
        "getReadiness": ["The server takes new replies."],
        "listConversations": [[done["conversation_id"]]],
        "getConversation": [["one 42", "one 42"]],
        "getReply": ["one 42"],
        "streamReply": ["one ", "42", done],
        "createReply": ["one 42"],
        "cancelReply": [],
        "deleteConversation": [],
    }
    problems = {
        "getReply": {"reply_id": "0" * 32},
        "streamReply": {"reply_id": "0" * 32},
        "streamChat": {"message": "/simulate fail_after=1\none two"},
        "createReply": {"message": "/simulate status=503\none"},
    }
    asks = [_asks(server, operation, message="one 42", **ids) for operation in results]
    refused = [_asks(server, operation, **what) for operation, what in problems.items()]
    said = await answers(client, *asks, *refused)
    assert words(told) == ["one ", "42"]
    assert (done["text"], done["finish_reason"]) == ("one 42", REASON)
    assert {
        name: [next(iter(line.values())) for line in lines] for name, lines in zip(results, said, strict=False)
    } == (results)
    assert [(lines[-1]["refused"], lines[-1]["typed"]) for lines in said[len(results) :]] == [(PROBLEM, True)] * 4


def _asks(server: LiveServer, operation: str, **what: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON has it
    return {"operation": operation, "url": server.url, "key": None} | what
