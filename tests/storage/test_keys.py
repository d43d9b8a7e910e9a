"""`python -m app keys`: as an operator runs it, beside the servers that heed it or before there is one."""

import asyncio
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.operators import keys
from tests.support.databases import KINDS, fresh_database_url, run_sql, sqlite_file
from tests.support.keys import bearer, made_key
from tests.support.server import LiveServer
from tests.support.wire import Wire, get, post

_ROOT = Path(__file__).parent.parent.parent
_KEY = re.compile("chat_([0-9a-f]{16})_([A-Za-z0-9_-]{43})\n")
_NOBODY = "0" * 16
_DAY_SECONDS = 24 * 3600
_FORM = "up to 63 letters, digits, dots, dashes and underscores"

Run = Callable[..., tuple[int, str, str]]

COMMAND = keys.main
"""What the fixture `run` runs."""


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """A server that runs meanwhile, and has no keys yet."""
    with LiveServer(database_url=fresh_database_url(request.param)) as server:
        yield server


def _created(run: Run, database_url: str, *arguments: str) -> tuple[str, str]:
    """A new key, and its id."""
    status, shown, _ = run(database_url, "create", *arguments)
    match = _KEY.fullmatch(shown)
    assert status == 0
    assert match
    return shown.strip(), match[1]


def _status(server: LiveServer, key: str = "") -> int:
    with Wire(server.port) as wire:
        wire.send(get("/api/conversations", {"Authorization": bearer(key)} if key else None))
        return wire.answer().status


def _await_status(server: LiveServer, status: int, key: str = "") -> None:
    """It looks every two seconds; a machine that is busy may take longer, and nothing takes for ever."""
    deadline = time.monotonic() + 20
    while _status(server, key) != status:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _rows(database_url: str, columns: str = "*") -> list[tuple[object, ...]]:
    return asyncio.run(run_sql(database_url, f"SELECT {columns} FROM api_keys ORDER BY created_ms, key_id"))  # noqa: S608


def _day(at_ms: object) -> str:
    return datetime.fromtimestamp(int(str(at_ms)) / 1000, UTC).date().isoformat() if at_ms else ""


def test_a_key_is_shown_once_and_stored_as_a_hash(server: LiveServer) -> None:
    """Alone on standard output, so that a script can take it; to whoever reads the database, it is of no use."""
    command = [sys.executable, "-m", "app", "keys", "create", "somebody"]
    environment = os.environ | {"CHAT_DATABASE_URL": server.database_url}
    created = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=120, check=True
    )
    match = _KEY.fullmatch(created.stdout)
    assert match
    assert "only once" in created.stderr
    assert match[2] not in created.stderr
    ((key_id, name, secret_hash, created_ms, expires_ms, revoked_ms),) = _rows(server.database_url)
    assert (key_id, name, expires_ms, revoked_ms) == (match[1], "somebody", None, None)
    assert secret_hash == hashlib.sha256(match[2].encode()).hexdigest()
    assert abs(int(str(created_ms)) / 1000 - time.time()) < _DAY_SECONDS
    if server.database_url.startswith("sqlite"):
        file = sqlite_file(server.database_url)
        stored = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
        assert match[1].encode() in stored
        assert match[2].encode() not in stored
    _await_status(server, 200, created.stdout.strip())
    server.terminate()
    server.wait()
    assert match[2] not in server.log()


def test_keys_come_and_go_beside_a_server_that_runs(server: LiveServer, run: Run) -> None:
    """Within seconds, without a restart: the first one locks the door, each opens it, one that is revoked does not."""
    assert _status(server) == 200
    first, first_id = _created(run, server.database_url, "somebody")
    _await_status(server, 401)
    assert _status(server, first) == 200
    second, _ = _created(run, server.database_url, "somebody-else")
    _await_status(server, 200, second)
    assert run(server.database_url, "revoke", first_id) == (0, "revoked\n", "")
    _await_status(server, 401, first)
    assert _status(server, second) == 200


def test_every_instance_heeds_the_keys(run: Run) -> None:
    """Wherever the command was run; and a stream that was let in at one of them ends there."""
    url = fresh_database_url("postgresql")
    with LiveServer(database_url=url) as first, LiveServer(database_url=url) as second:
        key, key_id = _created(run, url, "somebody")
        for server in (first, second):
            _await_status(server, 401)
            assert _status(server, key) == 200
        with Wire(first.port) as one, Wire(second.port) as other:
            for wire in (one, other):
                wire.send(post("/simulate stall_after=3\nhello there, my world", {"Authorization": bearer(key)}))
                wire.receive_until(b":2\n\n")
            run(url, "revoke", key_id)
            for wire in (one, other):
                assert b"urn:problem:access-ended" in wire.receive_until(b"0\r\n\r\n")
        for server in (first, second):
            assert _status(server, key) == 401


def test_a_key_can_be_made_before_the_first_start(run: Run, tmp_path: Path) -> None:
    """With the database and its folder, as the service would make them; then it asks for keys from the first moment."""
    url = f"sqlite:///{tmp_path}/data/chat.db"
    key, _ = _created(run, url, "somebody")
    with LiveServer(database_url=url) as server:
        assert _status(server) == 401
        assert _status(server, key) == 200


def test_all_there_is_to_know_of_keys_is_listed(database_url: str, run: Run) -> None:
    """But for the keys; the oldest first, and each column of its own, however long a name is."""
    good, good_id = _created(run, database_url, "n" * 63)
    lasting, lasting_id = _created(run, database_url, "somebody", "--expires", "2999-01-31")
    expired, expired_id = asyncio.run(made_key(database_url, "somebody", lasts_seconds=-2 * _DAY_SECONDS))
    revoked, revoked_id = _created(run, database_url, "somebody.else_2", "--expires", "1")
    run(database_url, "revoke", revoked_id)
    status, listed, told = run(database_url, "list")
    assert (status, told) == (0, "")
    header, *lines = [line.split(maxsplit=3) for line in listed.splitlines()]
    assert header == ["ID", "NAME", "CREATED", "STATE"]
    days = [[_day(at) for at in row] for row in _rows(database_url, "created_ms, expires_ms, revoked_ms")]
    assert lines == [
        [good_id, "n" * 63, days[0][0], "good"],
        [lasting_id, "somebody", days[1][0], "good until 2999-01-31"],
        [expired_id, "somebody", days[2][0], f"expired {days[2][1]}"],
        [revoked_id, "somebody.else_2", days[3][0], f"revoked {days[3][2]}"],
    ]
    for key in (good, lasting, expired, revoked):
        assert key[-43:] not in listed
    assert not [secret_hash for (secret_hash,) in _rows(database_url, "secret_hash") if str(secret_hash) in listed]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2999-01-31", datetime(2999, 1, 31, tzinfo=UTC)),
        ("2999-01-31T12:00", datetime(2999, 1, 31, 12, tzinfo=UTC)),
        ("2999-01-31T12:00+02:00", datetime(2999, 1, 31, 10, tzinfo=UTC)),
        ("9999-12-31", datetime(9999, 12, 31, tzinfo=UTC)),
    ],
)
def test_a_key_expires_at_the_date_that_is_given(text: str, moment: datetime, database_url: str, run: Run) -> None:
    """In UTC, unless it says otherwise."""
    _created(run, database_url, "somebody", "--expires", text)
    assert _rows(database_url, "expires_ms") == [(int(moment.timestamp() * 1000),)]
    assert moment.date().isoformat() in run(database_url, "list")[1]


@pytest.mark.parametrize("days", [1, 365, 99_999])
def test_a_key_expires_in_so_many_days(days: int, database_url: str, run: Run) -> None:
    """To the minute in which it was made."""
    before = datetime.now(UTC)
    _created(run, database_url, "somebody", "--expires", str(days))
    ((expires_ms,),) = _rows(database_url, "expires_ms")
    expires = datetime.fromtimestamp(int(str(expires_ms)) / 1000, UTC)
    assert timedelta(seconds=-1) < expires - before - timedelta(days=days) < timedelta(hours=1)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "1.5",
        "2020-01-31",
        datetime.now(UTC).date().isoformat(),
        "tomorrow",
        "31.01.2999",
        "2999-02-30",
        "999999",
        "9999-12-31T23:00-02:00",
        "",
    ],
)
def test_an_expiry_that_is_none_is_refused(text: str, empty_url: str, run: Run) -> None:
    """Also one that has passed; and no key is made."""
    assert run(empty_url, "list")[0] == 3  # not even a table
    status, shown, told = run(empty_url, "create", "somebody", f"--expires={text}")
    assert (status, shown) == (2, "")
    assert "not in the future" in told or "neither a number of days nor a date" in told
    assert run(empty_url, "list")[0] == 3


@pytest.mark.parametrize(
    "name", ["", " ", "two words", ".hidden", "_", "naïve", "n" * 64, "line\n", "a/b", "a:b", "a\0b", "<script>"]
)
def test_a_name_of_another_form_is_refused(name: str, empty_url: str, run: Run) -> None:
    """It is part of what conversations belong to, and is printed to terminals."""
    status, shown, told = run(empty_url, "create", name)
    assert (status, shown) == (2, "")
    assert _FORM in told
    assert run(empty_url, "list")[0] == 3


def test_keys_of_one_name_are_as_many_as_are_made(database_url: str, run: Run) -> None:
    """So that one can be replaced before it is revoked; no two are alike."""
    made = {_created(run, database_url, "somebody") for _ in range(5)}
    assert len({key for key, _ in made}) == len({key_id for _, key_id in made}) == 5
    assert {(key_id, "somebody") for _, key_id in made} == set(_rows(database_url, "key_id, name"))


def test_a_key_is_revoked_once(database_url: str, run: Run) -> None:
    """The second time nothing happens; others stay as they are."""
    _, first_id = _created(run, database_url, "somebody")
    _created(run, database_url, "somebody")
    assert run(database_url, "revoke", first_id) == (0, "revoked\n", "")
    rows = _rows(database_url)
    assert run(database_url, "revoke", first_id) == (0, "revoked\n", "")
    assert _rows(database_url) == rows
    assert [row[-1] is None for row in rows] == [False, True]


@pytest.mark.parametrize("key_id", [_NOBODY, "", "chat_0", "'; --", "x" * 1000])
def test_a_key_that_there_is_not_is_told(key_id: str, database_url: str, run: Run) -> None:
    """With where to find those there are."""
    _created(run, database_url, "somebody")
    status, written, told = run(database_url, "revoke", key_id)
    assert (status, written) == (1, "")
    assert "keys list" in told


@pytest.mark.parametrize("arguments", [("list",), ("revoke", _NOBODY)])
def test_a_database_that_there_is_not_is_told_and_not_made(
    arguments: tuple[str, ...], tmp_path: Path, run: Run
) -> None:
    """A typo in its name must not look like one without keys."""
    for url in (f"sqlite:///{tmp_path}/chat.db", f"postgresql://postgres@/chat?host={tmp_path}"):
        status, written, told = run(url, *arguments)
        assert (status, written) == (3, "")
        assert "CHAT_DATABASE_URL" in told
        assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_made_is_told(tmp_path: Path, run: Run) -> None:
    """And no key is shown that would open nothing."""
    (tmp_path / "file").write_text("in the way")
    for url in (f"sqlite:///{tmp_path}/file/chat.db", f"postgresql://postgres@/chat?host={tmp_path}"):
        status, shown, told = run(url, "create", "somebody")
        assert (status, shown) == (3, "")
        assert "CHAT_DATABASE_URL" in told


@pytest.mark.parametrize("arguments", [(), ("create",), ("revoke",), ("delete", _NOBODY), ("create", "a", "b")])
def test_what_is_not_understood_is_told(arguments: tuple[str, ...], tmp_path: Path, run: Run) -> None:
    """In one line, with what to do next."""
    status, shown, told = run(f"sqlite:///{tmp_path}/chat.db", *arguments)
    assert (status, shown) == (2, "")
    assert told.startswith("python -m app keys")
    assert "Next: " in told or "did you mean" in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
