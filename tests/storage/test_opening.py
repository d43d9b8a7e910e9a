"""A database that cannot be opened: one line that says what is wrong and what to do, also for operators' commands."""

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import anyio.to_thread
import pytest
from sqlalchemy.exc import OperationalError

from app.chat.errors import CannotStart
from app.operators import conversations, keys
from app.settings import Settings
from app.storage.address import database_url as parsed
from app.storage.database import Database, create_engine
from tests.support.databases import Postgres, run_sql, sqlite_file
from tests.support.talk import service

_ROOT = Path(__file__).parent.parent.parent
_PATIENCE_SECONDS = 2.0
_SECRET = "s3cr3t"  # noqa: S105 - of a user in a test


async def _told(url: str) -> str:
    """What an operator reads when the service starts with this database."""
    with pytest.raises(CannotStart) as error:
        async with Database(parsed(url), _PATIENCE_SECONDS):
            pass
    line = str(error.value)
    assert line.startswith("CHAT_DATABASE_URL: ")
    assert line.endswith(".")
    assert ". Next: " in line
    assert "\n" not in line
    assert _SECRET not in line
    return line


@pytest.fixture(params=["folder", "text", "below a file", "locked", "linked", "damaged"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A file that is no database for us, and what is told of it."""
    path = tmp_path / "chat.db"
    match request.param:
        case "folder":
            path.mkdir()
            yield path, "is a folder"
        case "text":
            path.write_text("Dear diary, today I began to write a long text.\n" * 100)
            yield path, "is not a SQLite database"
        case "below a file":
            path.write_text("")
            yield path / "chat.db", "cannot be used"
        case "locked":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("CREATE TABLE notes (text)")
                connection.execute("BEGIN EXCLUSIVE")
                yield path, "is locked by another program"
        case "linked":
            path.write_text("")
            (tmp_path / "other.db").hardlink_to(path)
            yield path, "has more than one name"
        case _:
            with closing(sqlite3.connect(path)) as connection:
                connection.executescript("PRAGMA page_size = 512; CREATE TABLE notes (text); CREATE TABLE more (text)")
            with path.open("r+b") as damaged:
                damaged.seek(100)
                damaged.write(os.urandom(412))
            yield path, "is damaged"


async def test_a_file_that_is_no_database_is_told(file: tuple[Path, str]) -> None:
    """By what is the matter with it; it is left as it was."""
    path, told = file
    before = path.read_bytes() if path.is_file() else None
    assert told in await _told(f"sqlite:///{path}")
    if before is not None:
        assert path.read_bytes() == before


async def test_a_file_in_use_is_told_by_whatever_name_it_is_found(tmp_path: Path) -> None:
    """A symbolic link to it, or a way around, leads to the same lock."""
    (tmp_path / "data").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "data" / "chat.db")
    (tmp_path / "folder").symlink_to(tmp_path / "data")
    names = ["data/chat.db", "link.db", "folder/chat.db", "data/../data/chat.db"]
    for used in names:
        async with Database(parsed(f"sqlite:///{tmp_path}/{used}"), _PATIENCE_SECONDS):
            for name in names:
                assert "another process serves from" in await _told(f"sqlite:///{tmp_path}/{name}")


async def test_a_network_that_leads_nowhere_is_told() -> None:
    """Refused, silent, or no such name."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        url = f"postgresql://chat:{_SECRET}@127.0.0.1:{port}/chat"
        assert f"no server listens at 127.0.0.1:{port}" in await _told(url)
        unused.listen()
        assert f"127.0.0.1:{port} does not answer" in await _told(f"{url}?connect_timeout=0.5")
    assert "there is no host" in await _told(f"postgresql://chat:{_SECRET}@no-such-host.invalid/chat")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A server with users of its own."""
    with Postgres() as postgres:
        postgres.run("CREATE USER alice PASSWORD :'secret' CONNECTION LIMIT 0", secret=_SECRET)
        postgres.run("CREATE USER bob")
        yield postgres


def _as(url: str, user: str) -> str:
    return url.replace("postgres:@", f"{user}:{_SECRET}@")


async def test_what_a_server_has_against_it_is_told(postgres: Postgres) -> None:
    """No such database or user, no right to create tables, parameters that it does not know, and the like."""
    url = postgres.database_url()
    name = url.partition("?")[0].rpartition("/")[2]
    expected = {
        url.replace(f"/{name}", "/nothing"): "has no database nothing",
        _as(url, "carol"): "has no user carol",
        _as(url, "bob"): "bob may not create tables",
        _as(url, "alice"): "takes no more connections",
        f"{url}&flavour=sweet": "does not accept the parameter flavour",
        f"{url}&work_mem=little": "does not accept the parameter work_mem",
        f"{url}&options=-c%20flavour%3Dsweet": "does not accept the parameter options",
        f"{url}&schema=nowhere": "none of the schemas",
        f"{url}&default_transaction_read_only=on": "is read-only",
        f"{url}&target_session_attrs=standby": "is what target_session_attrs asks for",
    }
    for wrong, told in expected.items():
        assert told in await _told(wrong)
    postgres.run("ALTER DATABASE :name ALLOW_CONNECTIONS false", name=name)
    assert "takes no connections" in await _told(url)


async def test_an_encoding_that_has_not_all_characters_is_told(postgres: Postgres) -> None:
    """Before anything is stored in it; a model's quotation marks are not in LATIN1."""
    url = postgres.database_url()
    name = url.partition("?")[0].rpartition("/")[2]
    postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    line = await _told(url.replace(f"/{name}", "/latin"))
    assert "encoded in LATIN1" in line
    assert "ENCODING 'UTF8'" in line


async def test_passwords_and_addresses_are_told(postgres: Postgres) -> None:
    """By the server's list of who may come from where."""
    url = postgres.database_url()
    postgres.require_password("bob")
    assert "refuses bob or the password" in await _told(_as(url, "bob"))


async def test_a_server_that_is_down_or_starting_is_told() -> None:
    """It may be there the next time."""
    with Postgres() as postgres:
        url = postgres.database_url()
        postgres.stop()
        assert "no server listens on a socket" in await _told(url)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("57P03", "is starting up or shutting down"),
        ("53300", "takes no more connections"),
        ("53100", "disk is full"),
        ("08P01", "refuses the connection (08P01)"),
        ("57P01", "has closed the connection (57P01)"),
        ("XX000", "reports an error (XX000)"),
    ],
)
async def test_what_a_server_answers_at_once_is_told(code: str, told: str) -> None:
    """By the code that it gives; its words are not repeated."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        fields = f"SFATAL\0VFATAL\0C{code}\0Mwith {_SECRET}\0\0".encode()
        writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert told in await _told(f"postgresql://chat:{_SECRET}@127.0.0.1:{port}/chat?sslmode=disable")


def test_the_service_tells_the_same(tmp_path: Path) -> None:
    """As the only line besides its log, without a traceback."""
    command = [sys.executable, "-m", "app"]
    url = f"postgresql://chat:{_SECRET}@/chat?host={tmp_path}"
    environment = {"CHAT_DATABASE_URL": url, "CHAT_PORT": "0", "CHAT_LOG_LEVEL": "warning"}
    ended = subprocess.run(
        command,
        cwd=_ROOT,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert ended.returncode == 3
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"CHAT_DATABASE_URL: no server listens on a socket at {tmp_path}. Next: ")


async def test_what_cannot_be_opened_leaves_no_thread_behind(tmp_path: Path) -> None:
    """One that reports to an event loop that has been closed would print a traceback."""
    engine = create_engine(parsed(f"sqlite:///{tmp_path}"), 1)
    for _ in range(50):
        before = set(threading.enumerate())
        with pytest.raises(OperationalError):
            async with engine.connect():
                pass
        left = [thread.name for thread in set(threading.enumerate()) - before if "asyncio" not in thread.name]
        assert left == []
    await engine.dispose()


async def test_commands_tell_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of them, in one line; they make nothing, unless they are asked to."""
    (tmp_path / "folder").mkdir()
    urls = {
        f"sqlite:///{tmp_path}/folder": "is a folder",
        f"sqlite:///{tmp_path}/none/chat.db": "there is no file",
        f"postgresql://chat:{_SECRET}@/chat?host={tmp_path}": "no server listens on a socket",
        f"postgresql://chat:{_SECRET}#@db/chat": "cannot be told apart",
    }
    commands = (
        (keys.main, ["list"]),
        (keys.main, ["revoke", "0" * 16]),
        (keys.main, ["create", "alice"]),
        (conversations.main, ["export", "0" * 32]),
        (conversations.main, ["purge", "--older-than", "1"]),
    )
    for url, told in urls.items():
        for command, arguments in commands:
            if "none" in url and "create" in arguments:
                continue
            assert await _run_aside(command, arguments, Settings(database_url=url)) in {2, 3}
            written = capsys.readouterr()
            assert written.out == ""
            assert written.err.startswith("CHAT_DATABASE_URL: ")
            assert written.err.count("\n") == 1
            assert told in written.err
    assert _names(tmp_path) == ["folder"]


async def test_a_database_that_the_service_has_never_used_is_told(
    empty_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be the wrong one. After an update, the service has to migrate it first."""
    if empty_url.startswith("sqlite"):
        sqlite_file(empty_url).write_bytes(b"")
    settings = Settings(database_url=empty_url)
    assert await _run_aside(keys.main, ["list"], settings) == 3
    assert "has never used this database" in capsys.readouterr().err
    async with service(empty_url):
        pass
    await run_sql(empty_url, "UPDATE alembic_version SET version_num = '0001'")
    assert await _run_aside(keys.main, ["list"], settings) == 3
    assert "an older version of the service" in capsys.readouterr().err


async def test_a_command_that_a_newer_database_does_not_suit_says_so(
    empty_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may work, and does then. What it looks for may also have another name by now."""
    async with service(empty_url):
        pass
    await run_sql(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    settings = Settings(database_url=empty_url)
    assert await _run_aside(keys.main, ["list"], settings) == 0
    capsys.readouterr()
    await run_sql(empty_url, "ALTER TABLE api_keys RENAME TO secrets")
    assert await _run_aside(keys.main, ["list"], settings) == 3
    assert "a newer version of the service" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no folder that takes no files")
async def test_a_folder_that_takes_no_files_is_not_a_database_in_use() -> None:
    """Nobody can, nor does, serve from there."""
    assert "/proc/chat.db cannot be used (No such file or directory)" in await _told("sqlite:////proc/chat.db")


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def _run_aside(command: Callable[[list[str], Settings], int], arguments: list[str], settings: Settings) -> int:
    """A command has an event loop of its own, so it runs in a thread."""
    return await anyio.to_thread.run_sync(command, arguments, settings)
