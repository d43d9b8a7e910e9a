"""`python -m app conversations`: as an operator runs it, beside the server or without one."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.operators import conversations
from tests.support.databases import KINDS, fresh_database_url, run_sql
from tests.support.server import LiveServer
from tests.support.wire import Wire, get, post, request

_ROOT = Path(__file__).parent.parent.parent
_NOBODY = "0" * 32
_DAY_MS = 24 * 3600 * 1000

Run = Callable[..., tuple[int, str, str]]

COMMAND = conversations.main
"""What the fixture `run` runs."""


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """A server that runs meanwhile."""
    with LiveServer(database_url=fresh_database_url(request.param)) as server:
        yield server


def _said(server: LiveServer, *texts: str) -> str:
    """Hold a conversation, and tell its id."""
    conversation_id = ""
    for text in texts:
        body = {"user_message": text} | ({"conversation_id": conversation_id} if conversation_id else {})
        with Wire(server.port) as wire:
            wire.send(request(json.dumps(body).encode()))
            answer = wire.answer()
            assert answer.status == 200
            conversation_id = answer.headers["conversation-id"]
    return conversation_id


def test_a_conversation_is_exported_as_json(server: LiveServer, run: Run) -> None:
    """All of it, however many pages it has, whatever the terminal's encoding; what it is like is in the contract."""
    texts = ["Grüße 👩‍💻\n\n世界", "/simulate fail_after=1\none two", *(f"message {n}" for n in range(60))]
    conversation_id = _said(server, *texts)
    command = [sys.executable, "-m", "app", "conversations", "export", conversation_id]
    environment = os.environ | {"CHAT_DATABASE_URL": server.database_url, "PYTHONIOENCODING": "ascii"}
    exported = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, timeout=120, check=True)
    assert exported.stderr == b""
    assert run(server.database_url, "export", conversation_id) == (0, exported.stdout.decode(), "")
    conversation = json.loads(exported.stdout)
    said = [exported["message"] for exported in conversation["messages"]]
    assert [message["text"] for message in said[::2]] == texts
    assert said[3]["state"] == "failed"
    with Wire(server.port) as wire:
        wire.send(get(f"/api/conversations/{conversation_id}?limit=100"))
        page = wire.answer().json()
    assert said[:100] == page.pop("messages")
    assert conversation.items() >= {name: value for name, value in page.items() if name != "next_cursor"}.items()


def test_a_conversation_is_exported_as_markdown(server: LiveServer, run: Run) -> None:
    """For people to read."""
    conversation_id = _said(server, "# not a title", "/simulate fail_after=1\none two")
    status, exported, _ = run(server.database_url, "export", conversation_id, "--format", "markdown")
    assert status == 0
    assert exported.startswith("# not a title\n\n## User, 20")
    assert "Z\n\n# not a title\n\n## Assistant, 20" in exported
    assert "Z (failed)\n\none" in exported


def test_old_conversations_are_purged(server: LiveServer, run: Run) -> None:
    """Those that nobody has spoken in for so long, and all that belongs to them; the server goes on."""
    old = _said(server, "old", "still old")
    kept = _said(server, "kept")
    sql = "UPDATE conversations SET updated_ms = updated_ms - :ago WHERE id = :id"
    asyncio.run(run_sql(server.database_url, sql, ago=30 * _DAY_MS, id=old))
    for days, count in (("30.5", 0), ("29.5", 1)):
        assert run(server.database_url, "purge", "--older-than", days) == (0, f"{count} conversations deleted\n", "")
    with Wire(server.port) as wire:
        wire.send(get(f"/api/conversations/{old}"))
        assert wire.answer().status == 404
        wire.send(get(f"/api/conversations/{kept}"))
        assert wire.answer().status == 200
    left = asyncio.run(
        run_sql(server.database_url, "SELECT count(*) FROM messages WHERE conversation_id = :id", id=old)
    )
    assert left == [(0,)]


def test_many_conversations_are_purged_while_others_talk(server: LiveServer, run: Run) -> None:
    """Whosever they are; in steps that are small enough for others to write between them."""
    sql = "INSERT INTO conversations (id, title, created_ms, updated_ms, principal) VALUES "
    rows = ", ".join(f"('{n:032x}', 'old', 0, 0, '{'' if n % 2 else f'key:{n % 10}'}')" for n in range(2000))
    asyncio.run(run_sql(server.database_url, sql + rows))
    before = asyncio.run(run_sql(server.database_url, "SELECT count(*) FROM conversations"))[0][0]
    assert run(server.database_url, "purge", "--older-than", "10000") == (0, "2000 conversations deleted\n", "")
    assert asyncio.run(run_sql(server.database_url, "SELECT count(*) FROM conversations")) == [(before - 2000,)]
    with Wire(server.port) as wire:
        wire.send(post("hello"))
        assert wire.answer().status == 200


def test_what_there_is_not_is_told(server: LiveServer, run: Run) -> None:
    """With what to do next."""
    status, written, told = run(server.database_url, "export", _NOBODY)
    assert (status, written) == (1, "")
    assert "GET /api/conversations" in told


@pytest.mark.parametrize("arguments", [("export", _NOBODY), ("purge", "--older-than", "1")])
def test_a_database_that_there_is_not_is_told_and_not_made(
    arguments: tuple[str, ...], tmp_path: Path, run: Run
) -> None:
    """A typo in its name must not look like an empty one."""
    for url in (f"sqlite:///{tmp_path}/chat.db", f"postgresql://postgres@/chat?host={tmp_path}"):
        status, written, told = run(url, *arguments)
        assert (status, written) == (3, "")
        assert told.startswith("CHAT_DATABASE_URL: ")
        assert told.count("\n") == 1
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [(), ("purge",), ("purge", "--older-than", "-1"), ("purge", "--older-than", "nan"), ("export",)]
)
def test_what_is_not_understood_is_told(arguments: tuple[str, ...], tmp_path: Path, run: Run) -> None:
    """In one line, with what to do next."""
    status, _, told = run(f"sqlite:///{tmp_path}/chat.db", *arguments)
    assert status == 2
    assert told.startswith("python -m app conversations")
    assert "Next: " in told or "did you mean" in told
    assert told.count("\n") == 1
