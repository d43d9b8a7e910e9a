"""Two versions of the service side by side on one PostgreSQL database, while one takes the other's place.

`scripts/test --previous REVISION tests/live/test_versions.py` takes the old version from the repository's history.
"""

import io
import subprocess
import tarfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.addresses import conversation_at, events_of, reply_at
from tests.support.databases import empty_database_url
from tests.support.server import FROM_SCRATCH, LiveServer
from tests.support.stream import check_stream
from tests.support.valkey import sharing
from tests.support.waiting import wait_until
from tests.support.wire import Answer, Wire, cancel, get, post

_ROOT = Path(__file__).parent.parent.parent
_TEXT = " ".join(f"word{n}" for n in range(40))


@dataclass(frozen=True, slots=True)
class _Versions:
    """What both versions share, and where the old one is."""

    folder: Path
    settings: dict[str, object]
    shares_replies: bool
    """Whether the old version knows other instances' replies."""
    tells_compatibility: bool
    """Whether it starts on a database that a newer one has changed, if that says so."""

    def old(self) -> LiveServer:
        """An instance of the old version."""
        known = (self.folder / "app" / "settings.py").read_text()
        settings = {name: value for name, value in self.settings.items() if f"{name}:" in known}
        server = LiveServer(program=FROM_SCRATCH, **settings)  # type: ignore[arg-type]  # of any type
        server.root = self.folder
        return server

    def new(self) -> LiveServer:
        """An instance of this version."""
        return LiveServer(program=FROM_SCRATCH, **self.settings)  # type: ignore[arg-type]  # as above


@pytest.fixture(scope="module")
def folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the old version."""
    revision = pytestconfig.getoption("previous")
    if revision is None:
        pytest.skip("needs --previous REVISION")
    archive = subprocess.run(["git", "archive", revision], cwd=_ROOT, capture_output=True, check=True).stdout
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


@pytest.fixture(params=["PostgreSQL alone", "Valkey"])
def versions(folder: Path, request: pytest.FixtureRequest) -> _Versions:
    """On an empty database."""
    settings: dict[str, object] = {"database_url": empty_database_url("postgresql"), "resume_window_seconds": 60}
    settings |= {"lease_seconds": 2, "save_every_seconds": 0.2, "first_word_seconds": 0.05}
    settings |= sharing() if request.param == "Valkey" else {}
    storage = folder / "app" / "storage"
    return _Versions(
        folder,
        settings,
        shares_replies=(storage / "migrations" / "versions" / "0006_cancellations.py").exists(),
        tells_compatibility="compatibility" in (storage / "schema.py").read_text(),
    )


def _asked(server: LiveServer, sent: bytes) -> Answer:
    with Wire(server.port) as wire:
        wire.send(sent)
        return wire.answer()


def _begun(stack: ExitStack, server: LiveServer, message: str) -> tuple[Wire, dict[str, str]]:
    """A reply of which there is a word, and the headers of its stream."""
    wire = stack.enter_context(Wire(server.port))
    wire.send(post(message))
    status, headers = wire.head()
    assert status == 200
    wire.receive_until(b"data: ")
    return wire, dict(headers)


def _hold_across(maker: LiveServer, other: LiveServer) -> None:
    """What one generates is resumed, cancelled and deleted at the other."""
    with ExitStack() as stack:
        _, headers = _begun(stack, maker, f"/simulate pace_ms=30\n{_TEXT}")
        reply_id = headers["reply-id"]
        rest = _asked(other, get(events_of(reply_id), {"Last-Event-ID": f"{reply_id}:1"}))
        assert rest.status == 200
        whole = _asked(maker, get(events_of(reply_id))).transcript()
        assert whole.text == _TEXT
        assert check_stream(rest.body, 1).words == whole.words[1:]
        wire, headers = _begun(stack, maker, f"/simulate stall_after=3\n{_TEXT}")
        assert _asked(other, cancel(headers["reply-id"])).status == 204
        assert b'"finish_reason":"cancelled"' in wire.receive_until(b"0\r\n\r\n")
        wire, headers = _begun(stack, maker, f"/simulate stall_after=3\n{_TEXT}")
        conversation = conversation_at(headers["conversation-id"])
        assert _asked(other, get(conversation).replace(b"GET", b"DELETE", 1)).status == 204
        wire.receive_until(b"0\r\n\r\n")
        assert _asked(maker, get(conversation)).status == 404


def test_an_update_ends_no_reply(versions: _Versions) -> None:
    """The new version migrates while the old one serves; then that drains. Neither takes the other for dead."""
    with versions.old() as old, ExitStack() as stack:
        assert _asked(old, post("hello")).status == 200
        long, headers = _begun(stack, old, f"/simulate pace_ms=500\n{_TEXT}")
        with versions.new() as new:
            if versions.shares_replies:
                _hold_across(old, new)
                _hold_across(new, old)
            time.sleep(4)  # two leases
            assert _asked(new, get(reply_at(headers["reply-id"]))).json()["state"] == "running"
            old.terminate()
            assert b'"finish_reason":"stop"' in long.receive_until(b"0\r\n\r\n")
            old.wait(60)
            assert _asked(new, get(reply_at(headers["reply-id"]))).json()["text"] == _TEXT
            _hold_across(new, new)
            for server in (old, new):
                assert "Traceback" not in server.log()
                assert '"error"' not in server.log()


def test_an_update_is_undone(versions: _Versions) -> None:
    """An old version that is compatible starts on what the new one has made, and takes over. Another one ends."""
    with versions.new() as new:
        if not versions.tells_compatibility:
            with pytest.raises(AssertionError, match="ended with 3"), versions.old():
                pass
            return
        with versions.old() as old, ExitStack() as stack:
            _hold_across(old, new)
            _hold_across(new, old)
            _, headers = _begun(stack, new, f"/simulate stall_after=3\n{_TEXT}")
            new.process.kill()
            wait_until(lambda: _asked(old, get(reply_at(headers["reply-id"]))).json()["state"] == "interrupted")
