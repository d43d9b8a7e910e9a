"""The documented configuration of nginx, in front of the service and below a path."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tests.docs.pages import ADDRESS, PAGES
from tests.support.server import LiveServer
from tests.support.stream import check_stream

_PATIENCE_SECONDS = 60.0
_CONFIGURATION = """
daemon off;
error_log stderr;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[str]:
    """Where it listens, with the simulator behind it."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no nginx on this machine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    location = PAGES["operators.md"].block("nginx", "Behind a proxy").text
    with LiveServer("simulator") as server:
        file = tmp_path / "nginx.conf"
        location = location.replace(ADDRESS, server.url)
        file.write_text(_CONFIGURATION.format(folder=tmp_path, port=port, location=location), "utf-8")
        with subprocess.Popen([program, "-p", tmp_path, "-c", file]) as process:
            try:
                yield f"http://127.0.0.1:{port}/chat/"
            finally:
                process.terminate()


def _client() -> httpx.Client:
    return httpx.Client(trust_env=False, timeout=_PATIENCE_SECONDS)


def _until_up(client: httpx.Client, url: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            assert client.get(f"{url}api/ready").status_code == 200
        except httpx.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_streams_come_word_by_word_and_resume(nginx: str) -> None:
    """At the addresses that the service names, which are right below the path."""
    message = {"user_message": "/simulate pace_ms=300\none two three"}
    with _client() as client:
        _until_up(client, nginx)
        with client.stream("POST", f"{nginx}api/chat", json=message) as response:
            pieces = [piece for piece in response.iter_raw() if piece]
        address = urljoin(f"{nginx}api/chat", response.headers["Content-Location"])
        again = client.get(address)
    assert len(pieces) > 2
    assert check_stream(b"".join(pieces)).text == "one two three"
    assert check_stream(again.content).text == "one two three"


def test_the_pages_own_requests_are_taken_and_others_are_not(nginx: str) -> None:
    """Because the Host is passed on."""
    with _client() as client:
        _until_up(client, nginx)
        assert client.get(nginx).status_code == 200
        for origin, status in ((nginx.removesuffix("/chat/"), 200), ("http://evil.example", 403)):
            answer = client.post(f"{nginx}api/replies", json={"user_message": "hello"}, headers={"Origin": origin})
            assert answer.status_code == status, answer.text
