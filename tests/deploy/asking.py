"""What tests of proxies ask, and see."""

import json
import shutil
import subprocess
from typing import Literal

import pytest

from tests.deploy.proxies import Proxy
from tests.support.addresses import CHAT, reply_at
from tests.support.server import LiveServer
from tests.support.wire import Interrupted, Wire, get, post

_PATIENCE_SECONDS = 60.0

STALLS = "/simulate stall_after=2\none two three"
"""A message whose reply has one word, and never ends."""


def begun(wire: Wire) -> str:
    """Ask for a reply that stalls, and read its beginning; its id."""
    wire.send(post(STALLS))
    _, headers = wire.head()
    wire.receive_until(b":1\n\n")
    return headers["reply-id"]


def state(server: LiveServer, reply: str) -> object:
    """The reply's, asked past the proxy."""
    with Wire(server.port) as wire:
        wire.send(get(reply_at(reply)))
        return wire.answer().json()["state"]


def ends_after_the_death_of(server: LiveServer, proxy: Proxy) -> Literal["clean", "cut"]:
    """How a stream ends for its client when the service is killed: a clean end has the last chunk."""
    with Wire(proxy.port) as wire:
        wire.send(post(STALLS))
        assert wire.head()[1]["transfer-encoding"] == "chunked"
        said = b""
        while b":1\n\n" not in said:
            said += wire.chunk()
        server.process.kill()
        try:
            while wire.chunk():
                pass
        except Interrupted:
            return "cut"
        return "clean"


def curl_after_the_death_of(server: LiveServer, url: str, *options: str) -> tuple[str, bool]:
    """The version of HTTP that curl speaks, and whether it takes the end of a stream for good.

    The service is killed after the first word.
    """
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl on this machine")
    asked = ["-H", "Content-Type: application/json", "-d", json.dumps({"user_message": STALLS})]
    command = [curl, "-sNi", "--noproxy", "*", "--max-time", str(_PATIENCE_SECONDS), *options, *asked, url + CHAT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith(":1\n\n"):
            said += (line := process.stdout.readline())
            assert line, said
        server.process.kill()
        process.stdout.read()
    return said.split()[0], process.returncode == 0
