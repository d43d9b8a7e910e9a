"""The README's recipes for streaming: each runs as it stands there, through cuts, and prints the text exactly."""

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

from tests.docs.readme import ADDRESS, BLOCKS, ROOT, block
from tests.support.browser import browsing
from tests.support.cable import Cable
from tests.support.server import LiveServer
from tests.support.texts import normalised

ONE_LINE, THROUGH_CUTS = (b.text for b in BLOCKS if (b.language, b.section) == ("bash", "From a shell"))
PYTHON = block("python", "From Python").text
EVENT_SOURCE = block("js", "With EventSource").text

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
LONG = f"/simulate pace_ms=40\n{TEXT}"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service, with comments in every pause."""
    with LiveServer(heartbeat_seconds=0.02) as server:
        yield server


def _command(recipe: str, message: str, url: str) -> list[str]:
    """How to run a recipe with this message in the place of `hello`."""
    recipe = recipe.replace(ADDRESS, url)
    if recipe.startswith("import"):
        return [sys.executable, "-c", recipe.replace('ask("hello")', f"ask({message!r})")]
    quoted = json.dumps({"user_message": message}).replace("'", "'\\''")
    assert shutil.which("curl"), "the recipe is for curl: apt install curl"
    return ["sh", "-c", recipe.replace('{"user_message": "hello"}', quoted)]


def _printed(recipe: str, message: str, url: str) -> str:
    done = subprocess.run(_command(recipe, message, url), cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("recipe", [ONE_LINE, THROUGH_CUTS, PYTHON], ids=["one line", "shell", "python"])
def test_a_recipe_prints_the_text(recipe: str, message: str, server: LiveServer) -> None:
    """To the character."""
    assert _printed(recipe, message, server.url) == normalised(message)


class _Running:
    """A recipe, while it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.printed = ""
        self._process = process

    async def prints(self, text: str | None = None) -> None:
        """Read on until it has printed this, or to its end."""
        assert self._process.stdout is not None
        with anyio.fail_after(60):
            while text is None or text not in self.printed:
                if not (piece := await self._process.stdout.read(4096)):
                    break
                self.printed += piece.decode()
        assert text is None or text in self.printed


@asynccontextmanager
async def _running(recipe: str, url: str) -> AsyncIterator[_Running]:
    process = await asyncio.create_subprocess_exec(
        *_command(recipe, LONG, url), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield _Running(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.mark.parametrize("recipe", [THROUGH_CUTS, PYTHON], ids=["shell", "python"])
async def test_a_recipe_survives_cuts(recipe: str, server: LiveServer) -> None:
    """It prints words as they come, and each of them once."""
    async with Cable(server.port) as cable, _running(recipe, cable.url) as running:
        for word in ("word3", "word12", "word20"):
            await running.prints(word)
            assert "word39" not in running.printed
            cable.shake()
        await running.prints()
        assert running.printed == TEXT


@pytest.mark.parametrize("recipe", [THROUGH_CUTS, PYTHON], ids=["shell", "python"])
def test_a_recipe_tells_what_is_wrong_and_ends(recipe: str, server: LiveServer) -> None:
    """It does not ask for ever."""
    command = _command(recipe, "/simulate status=503\nhello", server.url)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.stdout == b""
    assert b"The bot cannot answer for now" in done.stderr


async def test_the_recipe_for_event_source_survives_cuts(server: LiveServer) -> None:
    """In a browser, on a page of the server's; the last line is the whole text."""
    script = re.sub('user_message: "hello"', lambda _: f"user_message: {json.dumps(LONG)}", EVENT_SOURCE)
    async with Cable(server.port) as cable, browsing() as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        await page.goto(f"{cable.url}/")
        await page.evaluate(f"(async () => {{ {script.replace(ADDRESS, cable.url)} }})()")
        for word in ("word3", "word20"):
            with anyio.fail_after(60):
                while not any(word in line for line in said):  # noqa: ASYNC110 - the page prints when it likes
                    await asyncio.sleep(0.01)
            cable.shake()
        with anyio.fail_after(60):
            while TEXT not in said:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    words = [line for line in said if "net::ERR" not in line]
    assert "".join(words[:-1]) == TEXT


def test_the_recipe_for_python_is_formatted_and_typed(tmp_path: Path) -> None:
    """As all code here."""
    program = tmp_path / "recipe.py"
    program.write_text(PYTHON, "utf-8")
    for arguments in (["ruff", "format", "--check"], ["mypy", "--strict", "--config-file="]):
        done = subprocess.run(
            [sys.executable, "-m", *arguments, program], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
