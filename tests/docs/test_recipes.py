"""The recipes in docs/clients.md: each runs as printed, through cuts, and prints the text exactly."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.docs.pages import ADDRESS, PAGES, ROOT
from tests.support import node
from tests.support.browser import browsing
from tests.support.cable import Cable
from tests.support.server import LiveServer
from tests.support.texts import normalised

_PAGE = PAGES["clients.md"]
ONE_LINE, SHELL = (block.text for block in _PAGE.all_blocks("bash", "A shell script"))
PYTHON = _PAGE.block("python", "Python").text
FETCH = _PAGE.block("js", "A browser, with fetch").text
EVENT_SOURCE = _PAGE.block("js", "A browser, with EventSource").text
THROUGH_CUTS = pytest.mark.parametrize("recipe", [SHELL, PYTHON, FETCH], ids=["shell", "python", "fetch"])

MESSAGES = [
    "hello",
    "one  two\n\n    indented\tcode\nend",
    "event: done\ndata: {}\n\nid: 7\n: ping\n{\nlast",
    "%s %d \\n \\\\ $HOME `x` 'y' \"z\" {curly}",
    "data: x\r\n\r\nretry: 1\rdata:  y",
    "\u2028 lines \u2029 of \x85 other \x0b kinds \ufeff \u3000 x",
    "今日はいい天気ですね。 👩‍💻👨‍👩‍👧‍👦 e\u0301 สวัสดีครับ",
]
TEXT = "Through\n\n  cuts, " + " ".join(f"word{n}" for n in range(40))
_PATIENCE_SECONDS = 60
LONG = f"/simulate pace_ms=40\n{TEXT}"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service, with comments in every pause."""
    with LiveServer(heartbeat_seconds=0.02) as server:
        yield server


def _command(recipe: str, message: str, url: str) -> list[str]:
    """The command for a recipe, with this message instead of `hello`."""
    program = recipe.replace(ADDRESS, url)
    if recipe == PYTHON:
        return [sys.executable, "-c", program.replace('ask("hello")', f"ask({message!r})")]
    if recipe == FETCH:
        program = program.replace('ask("hello")', f"ask({json.dumps(message)})")
        program = program.replace("console.log(word)", "process.stdout.write(word)")  # without an added line break
        return ["node", "--input-type=module", "--eval", program]
    quoted = json.dumps({"user_message": message}).replace("'", "'\\''")
    assert shutil.which("curl"), "the recipe is for curl: apt install curl"
    return ["sh", "-c", program.replace('{"user_message": "hello"}', quoted)]


def _printed(recipe: str, message: str, url: str) -> str:
    done = subprocess.run(
        _command(recipe, message, url),
        cwd=ROOT,
        env=node.environment(),
        capture_output=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("recipe", [ONE_LINE, SHELL, PYTHON, FETCH], ids=["one line", "shell", "python", "fetch"])
def test_a_recipe_prints_the_text(recipe: str, message: str, server: LiveServer) -> None:
    """Exact to the character."""
    assert _printed(recipe, message, server.url) == normalised(message)


class _Running:
    """A running recipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.printed = ""
        self._process = process

    async def prints(self, text: str | None = None) -> None:
        """Read until it has printed this, or to its end."""
        assert self._process.stdout is not None
        with anyio.fail_after(_PATIENCE_SECONDS):
            while text is None or text not in self.printed:
                if not (piece := await self._process.stdout.read(4096)):
                    break
                self.printed += piece.decode()
        assert text is None or text in self.printed


@asynccontextmanager
async def _running(recipe: str, url: str) -> AsyncIterator[_Running]:
    process = await asyncio.create_subprocess_exec(
        *_command(recipe, LONG, url), cwd=ROOT, env=node.environment(), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield _Running(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@THROUGH_CUTS
async def test_a_recipe_survives_cuts(recipe: str, server: LiveServer) -> None:
    """It prints words as they arrive, each of them once."""
    async with Cable(server.port) as cable, _running(recipe, cable.url) as running:
        for word in ("word3", "word12", "word20"):
            await running.prints(word)
            assert "word39" not in running.printed
            cable.shake()
        await running.prints()
        assert running.printed == TEXT


@THROUGH_CUTS
async def test_a_recipe_waits_while_a_proxy_has_no_server(recipe: str, server: LiveServer) -> None:
    """It retries when the proxy's error page says so."""
    shown = asyncio.Event()

    async def regret(from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        await from_client.readuntil(b"\r\n\r\n")
        to_client.write(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n<html>\n<h1>502</h1>\n</html>\n")
        to_client.close()
        shown.set()

    async with (
        await asyncio.start_server(regret, "127.0.0.1", 0) as proxy,
        Cable(proxy.sockets[0].getsockname()[1]) as cable,
        _running(recipe, cable.url) as running,
    ):
        with anyio.fail_after(_PATIENCE_SECONDS):
            await shown.wait()
        cable.lead_to(server.port)
        await running.prints()
        assert running.printed == TEXT


@THROUGH_CUTS
def test_a_recipe_tells_what_is_wrong_and_ends(recipe: str, server: LiveServer) -> None:
    """It does not retry for ever."""
    command = _command(recipe, "/simulate status=429\nhello", server.url)
    done = subprocess.run(
        command, cwd=ROOT, env=node.environment(), capture_output=True, timeout=_PATIENCE_SECONDS, check=False
    )
    assert done.stdout == b""
    assert b"The model behind the bot accepts no more requests for now" in done.stderr


async def test_the_recipe_for_event_source_survives_cuts(server: LiveServer) -> None:
    """In a browser, on a page of the server; the last line is the whole text."""
    script = re.sub('user_message: "hello"', lambda _: f"user_message: {json.dumps(LONG)}", EVENT_SOURCE)
    async with Cable(server.port) as cable, browsing() as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        await page.goto(f"{cable.url}/")
        await page.evaluate(f"(async () => {{ {script.replace(ADDRESS, cable.url)} }})()")
        for word in ("word3", "word20"):
            with anyio.fail_after(_PATIENCE_SECONDS):
                while not any(word in line for line in said):
                    await asyncio.sleep(0.01)
            cable.shake()
        with anyio.fail_after(_PATIENCE_SECONDS):
            while TEXT not in said:
                await asyncio.sleep(0.01)
    words = [line for line in said if "net::ERR" not in line]
    assert "".join(words[:-1]) == TEXT


def test_the_recipe_for_python_is_formatted_and_typed(tmp_path: Path) -> None:
    """Like all code here."""
    program = tmp_path / "recipe.py"
    program.write_text(PYTHON, "utf-8")
    for arguments in (["ruff", "format", "--check"], ["mypy", "--strict", "--config-file="]):
        done = subprocess.run(
            [sys.executable, "-m", *arguments, program], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
