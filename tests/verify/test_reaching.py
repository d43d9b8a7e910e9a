"""An unreachable deployment breaks no contract: the command says why, and has another exit status."""

import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from chat_verify.__main__ import parsed
from chat_verify.reports.junit import write_junit
from chat_verify.reports.text import as_text
from chat_verify.target import Place
from tests.support.certificates import certificate, serving
from tests.support.server import LiveServer
from tests.verify.asking import PATIENCE_SECONDS, command, environment, run, two_keys, verified
from tests.verify.faults import Fault
from tests.verify.proxy import FaultyProxy


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service."""
    with LiveServer("simulator") as server:
        yield server


async def _why(url: str, key: str = "", ca: str = "") -> str:
    """Why it cannot be reached."""
    report = await verified(Place(url, key, ca=ca), "statuses")
    assert report.exit_status() == 3, as_text(report)
    assert f"CANNOT BE REACHED: {report.unreachable}" in as_text(report).replace("\n", " ")
    return report.unreachable


async def test_a_closed_port() -> None:
    """Nothing listens there."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        assert "nothing listens there" in await _why(f"http://127.0.0.1:{reserved.getsockname()[1]}")


async def test_another_server() -> None:
    """It responds, but as something else."""
    with _another_server() as url:
        why = await _why(url)
    assert "/api/health gets 200 text/html" in why
    assert "another server, or another path" in why


async def test_a_prefix_that_is_missing(server: LiveServer) -> None:
    """The service itself says that there is nothing at this path."""
    assert "/elsewhere/api/health gets 404 application/problem+json" in await _why(f"{server.url}/elsewhere")


async def test_tls_to_a_port_that_has_none(server: LiveServer) -> None:
    """The wrong scheme."""
    assert "does not speak TLS" in await _why(f"https://127.0.0.1:{server.port}")


async def test_a_certificate_that_nobody_trusts_and_the_same_one_trusted(server: LiveServer, tmp_path: Path) -> None:
    """With `--ca` the laws are tried over TLS; and nothing answers without TLS."""
    files = certificate(tmp_path, "127.0.0.1")
    ca, context = str(files[0]), serving(files)
    async with FaultyProxy(server.port, Fault(), tls=context) as proxy:
        assert "a certificate that is not trusted" in await _why(proxy.url)
        report = await verified(Place(proxy.url, ca=ca), "grammar", "cancel")
        assert report.exit_status() == 0, as_text(report)
        assert {finding.verdict.value for finding in report.findings.values()} == {"held"}
        assert "Next: check the scheme (https://?)" in await _why(proxy.url.replace("https", "http"))


async def test_a_key_that_is_missing_or_wrong() -> None:
    """Each is reported as such."""
    database_url, *_ = await two_keys()
    with LiveServer("simulator", database_url=database_url) as server:
        assert "requires a key (401)" in await _why(server.url)
        assert "does not accept the key of --key (401)" in await _why(server.url, "chat_0123456789abcdef_" + "x" * 43)


async def test_a_service_that_drains() -> None:
    """It is up, but accepts nothing."""
    with LiveServer("simulator", drain_seconds=60) as server:
        message = {"user_message": "/simulate stall_after=2\none two three"}
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            client.stream("POST", f"{server.url}/api/chat", json=message),
        ):
            server.terminate()
            while (await client.get(f"{server.url}/api/ready")).status_code == 200:
                pass
            assert "is up, but not ready (503)" in await _why(server.url)


async def test_a_service_whose_bot_is_down() -> None:
    """It reports that correctly, which is not a breach; but without a reply, no law about replies held."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        engine = f"http://127.0.0.1:{reserved.getsockname()[1]}/v1"
        with LiveServer("openai", openai_base_url=engine, openai_model="m") as server:
            report = await verified(Place(server.url), "grammar", "statuses")
    assert report.exit_status() == 3, as_text(report)
    assert re.search("it gave no reply: .* 503", report.unreachable), report.unreachable


def test_a_service_that_goes_half_way(tmp_path: Path) -> None:
    """The findings until then are reported; the cut-off stream is not a breach."""
    with LiveServer("simulator") as server, _started(tmp_path, server.url) as verifying:
        _read_to(verifying, "cancel: cancelReply stops")
        server.process.kill()
        said, _ = verifying.communicate(timeout=PATIENCE_SECONDS)
        assert verifying.returncode == 3, said
    assert "CANNOT BE REACHED" in said
    assert re.search("nothing listens there|cannot be reached: ReadError", said)
    assert "held    grammar" in said


def test_who_interrupts_gets_what_was_found_until_then(tmp_path: Path) -> None:
    """And it cleans up."""
    with LiveServer("simulator") as server, _started(tmp_path, server.url) as verifying:
        _read_to(verifying, "cancel: cancelReply stops")
        verifying.send_signal(signal.SIGINT)
        said, _ = verifying.communicate(timeout=PATIENCE_SECONDS)
        left = httpx.get(f"{server.url}/api/conversations", trust_env=False).json()["conversations"]
    assert verifying.returncode == 130, said
    assert "Interrupted: the rest was not tried." in said
    assert "held    grammar" in said
    assert left == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("127.0.0.1:8000",),
        ("ftp://127.0.0.1",),
        ("http://127.0.0.1/?q=1",),
        ("http://127.0.0.1", "--law", "gravity"),
        ("http://127.0.0.1", "--seconds", "0"),
        ("http://127.0.0.1", "--junit", "no/such/folder/verify.xml"),
        ("http://127.0.0.1", "--ca", "no-such-file"),
        ("http://127.0.0.1", "--other-key", "k"),
    ],
    ids=lambda arguments: " ".join(arguments) or "nothing",
)
def test_wrong_usage(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Has its own exit status."""
    monkeypatch.setattr("sys.argv", ["chat-verify", *arguments])
    with pytest.raises(SystemExit) as ended:
        parsed()
    assert ended.value.code == 2
    assert "usage: chat-verify" in capsys.readouterr().err


async def test_a_ci_is_told_that_nobody_was_reached(tmp_path: Path) -> None:
    """As an error, not a failure; and the laws as skipped."""
    with _another_server() as url:
        report = await verified(Place(url), "grammar", "text")
    write_junit(report, tmp_path / "verify.xml")
    text = (tmp_path / "verify.xml").read_text("utf-8")
    assert 'tests="3" failures="0" errors="1" skipped="2"' in text


def test_the_command_says_it_with_its_exit_status(tmp_path: Path) -> None:
    """3, and the reason on standard output."""
    with _another_server() as url:
        done = run(tmp_path, url)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "CANNOT BE REACHED" in done.stdout


@contextmanager
def _started(folder: Path, url: str) -> Iterator["subprocess.Popen[str]"]:
    """The command's process, which ends with the block."""
    options = ("--rate", "100", "--seconds", "120", "--seed", "1")
    with subprocess.Popen(
        command(url, *options),
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as verifying:
        try:
            yield verifying
        finally:
            verifying.kill()


def _read_to(verifying: "subprocess.Popen[str]", wanted: str) -> None:
    assert verifying.stdout
    seen = []
    for line in verifying.stdout:
        seen.append(line)
        if wanted in line:
            return
    raise AssertionError("".join(seen))


@contextmanager
def _another_server() -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        """Responds to everything in the same way."""

        def do_GET(self) -> None:
            """Send a page."""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>It works!</h1>")

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as listening:
        serving = threading.Thread(target=listening.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            serving.join()
