"""The documentation's code for browsers works on every stream; its bot meets this project's standards.

(`test_commands` checks that the bot works, and `test_recipes` that the code survives cuts.)
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ADDRESS, PAGES, ROOT
from tests.support import node
from tests.support.server import LiveServer
from tests.support.texts import normalised

PATIENCE_SECONDS = 60

SNIPPET = PAGES["clients.md"].block("js", "A browser, with fetch").text
FUNCTION = SNIPPET[: SNIPPET.index("\nfor await")]

MESSAGES = [
    "hello",
    "two words ",
    "one  two\n\n    indented\tcode\n",
    "event: done\ndata: {}\n\nid: 7\n: ping\n",
    "data: x\r\n\r\nretry: 1\rdata:  y",
    "\u2028 lines \u2029 of \x85 other \x0b kinds \ufeff \u3000",
    "今日はいい天気ですね。 👩‍💻👨‍👩‍👧‍👦 e\u0301 สวัสดีครับ",
    ': "[DONE]" null {"text":"\\n"}',
    "/simulate pace_ms=80\nslow enough for comments",
]

CUT_UP = """
const whole = fetch;
const eachByte = (bytes) => new TransformStream({
  transform(chunk, out) { for (const byte of chunk) bytes(byte).forEach((b) => out.enqueue(Uint8Array.of(b))); },
});
globalThis.fetch = async (...request) => {
  const response = await whole(...request);
  return new Response(response.body.pipeThrough(eachByte(BYTES)), response);
};
"""
"""Delivers the body byte by byte; `BYTES` replaces bytes by others."""

ASK_ALL = """
const said = [];
for (const message of MESSAGES) {
  const words = [];
  try {
    for await (const word of ask(message)) words.push(word);
  } catch (error) {
    words.push(error.message);
  }
  said.push(words);
}
console.log(JSON.stringify(said));
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service, with comments in every pause."""
    with LiveServer("simulator", heartbeat_seconds=0.02) as server:
        yield server


def run(code: str, server: LiveServer, folder: Path) -> str:
    """The output of a JavaScript program."""
    program = folder / "program.mjs"
    program.write_text(code.replace(ADDRESS, server.url), "utf-8")
    result = subprocess.run(
        ["node", str(program)],
        env=node.environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def ask_all(messages: list[str], server: LiveServer, folder: Path, prologue: str = "") -> list[list[str]]:
    """The words of the reply to each message; the last one is the error's message if there was an error."""
    said = run(prologue + FUNCTION + ASK_ALL.replace("MESSAGES", json.dumps(messages)), server, folder)
    words: list[list[str]] = json.loads(said)
    return words


def test_the_browser_snippet_prints_the_reply(tmp_path: Path) -> None:
    """As printed."""
    with LiveServer("greeter") as server:
        printed = run(SNIPPET, server, tmp_path).splitlines()
    assert printed[:2] == ["Hi ", "there! "]
    assert "".join(printed) == "Hi there! How can I help you today?"


@pytest.mark.parametrize(
    "prologue",
    ["", CUT_UP.replace("BYTES", "(b) => [b]"), CUT_UP.replace("BYTES", "(b) => b === 10 ? [13, 10] : [b]")],
    ids=["as sent", "byte by byte", "byte by byte, with CR LF"],
)
def test_the_browser_snippet_loses_nothing(prologue: str, server: LiveServer, tmp_path: Path) -> None:
    """Line breaks, comments, look-alikes of events, and characters split over chunks."""
    said = ask_all(MESSAGES, server, tmp_path, prologue)
    expected = [normalised(message.removeprefix("/simulate pace_ms=80\n")) for message in MESSAGES]
    assert ["".join(words) for words in said] == expected
    assert said[-1] == ["slow ", "enough ", "for ", "comments"]


def test_the_browser_snippet_tells_of_failures(server: LiveServer, tmp_path: Path) -> None:
    """Before the stream, and in it."""
    messages = ["", "/simulate status=429\nhello", "/simulate fail_after=1\none two"]
    refused, limited, failed = ask_all(messages, server, tmp_path)
    assert refused == ["Correct the fields listed in errors and send the body again."]
    assert limited == ["The model behind the bot accepts no more requests for now. Wait as long as Retry-After says."]
    assert failed == ["one ", "The bot stopped before its reply was complete. Send the message again."]


def test_leaving_the_browser_snippets_loop_leaves_the_stream(server: LiveServer, tmp_path: Path) -> None:
    """Otherwise node would wait for the bot, which is silent for ever."""
    leave = 'for await (const word of ask("/simulate stall_after=2\\none two")) { console.log(word); break; }'
    assert run(FUNCTION + leave, server, tmp_path) == "one \n"


def test_the_bot_is_formatted_and_linted() -> None:
    """Like all code here, except for docstrings and its folder."""
    code = PAGES["bots.md"].block("python", "Write a bot").text
    for arguments in (["check", "--ignore", "D,INP001"], ["format", "--check"]):
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", "parrot.py", "-"],
            cwd=ROOT,
            input=code,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
