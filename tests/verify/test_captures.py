"""A recorded stream is checked with the grammar of live ones, without a connection."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from chat_verify.capture import check_capture
from chat_verify.reports.text import as_text
from chat_verify.trying import LAWS
from tests.support.server import LiveServer
from tests.verify.asking import command, environment

_REPLY, _CONVERSATION = "5" * 32, "c" * 32
_WORDS = f"data: Hi \nid: {_REPLY}:1\n\ndata: there\nid: {_REPLY}:2\n\n"
_DONE = {
    "reply_id": _REPLY,
    "conversation_id": _CONVERSATION,
    "state": "completed",
    "text": "Hi there",
    "words": 2,
    "finish_reason": "stop",
}
_END = f"event: done\ndata: {json.dumps(_DONE)}\n\n"
_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n"


def _judged(folder: Path, recording: str, after: int = 0) -> tuple[int, str]:
    """The exit status, and the report as one line."""
    path = folder / "reply.txt"
    path.write_text(recording, "utf-8", newline="")
    report = check_capture(str(path), LAWS, after)
    return report.exit_status(), " ".join(as_text(report).split())


def test_what_curl_recorded_holds(tmp_path: Path) -> None:
    """The bytes of a real stream, with the headers of `-i` and without."""
    with LiveServer("greeter", greeter_pace_ms=0) as server:
        message = ("-H", "Content-Type: application/json", "-d", '{"user_message": "hello"}')
        for flags in ("-sN", "-siN"):
            curl = ["curl", "--noproxy", "*", flags, f"{server.url}/api/chat", *message]
            (tmp_path / "reply.txt").write_bytes(subprocess.run(curl, capture_output=True, check=True).stdout)
            report = check_capture(str(tmp_path / "reply.txt"), LAWS)
            assert report.exit_status() == 0, as_text(report)
            assert "8 words, then done: stop" in as_text(report)


def test_one_that_was_resumed_holds(tmp_path: Path) -> None:
    """If the number of earlier words is given."""
    rest = _WORDS.partition("\n\n")[2] + _END
    status, told = _judged(tmp_path, rest)
    assert status == 1
    assert "has number 2, but 1 is next" in told
    assert "--after" in told
    assert "where: line 1 " in " ".join(told.split())
    assert _judged(tmp_path, rest, after=1)[0] == 0


_WRONG = {
    "a cut": (_WORDS, 7, "ends without done or failed, after 2 words.*was interrupted"),
    "a cut inside an event": (_WORDS + _END[:-30], 8, "ends inside an event"),
    "a gap": (_WORDS.replace(":2", ":3") + _END, 4, "has number 3, but 2 is next"),
    "a gap behind headers": (_HEAD + _WORDS.replace(":2", ":3") + _END, 7, "has number 3, but 2 is next"),
    "CR LF": (_WORDS.replace("\n", "\r\n") + _END, 1, "has a CR"),
    "more after the end": (_WORDS + _END + _WORDS, 10, "something follows"),
    "another text": (_WORDS + _END.replace("Hi there", "Hi you"), 7, "done.text is not what"),
    "no words": (_WORDS + _END.replace(', "words": 2', ""), 7, '"words" is a required property'),
    "a leading blank": (_WORDS.replace("data: there", "data:  there") + _END, 4, "starts with white space"),
    "another protocol": ("data: [DONE]\n\n", 3, "ends without done"),
}
"""Recordings, the broken lines in them, and the expected messages."""


@pytest.mark.parametrize("name", _WRONG)
def test_what_is_wrong_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    """And with the broken rule."""
    recording, line, told = _WRONG[name]
    path = tmp_path / "reply.txt"
    path.write_text(recording, "utf-8", newline="")
    report = check_capture(str(path), LAWS)
    (breach,) = [breach for finding in report.findings.values() for breach in finding.breaches]
    assert report.exit_status() == 1
    assert re.search(re.escape(told).replace(r"\.\*", ".*"), " ".join(as_text(report).split())), as_text(report)
    assert breach.recording
    assert breach.recording.line == line


@pytest.mark.parametrize(
    ("recording", "why"),
    [
        ("", "it is empty"),
        (
            "HTTP/1.1 503 X\r\ncontent-type: application/problem+json\r\n\r\n{}",
            "not a stream but 503 application/",
        ),
    ],
    ids=["empty", "an error"],
)
def test_what_is_no_stream_is_not_judged(recording: str, why: str, tmp_path: Path) -> None:
    """There is nothing to be right or wrong."""
    status, told = _judged(tmp_path, recording)
    assert status == 3
    assert why in told


def test_the_command_reads_a_pipe(tmp_path: Path) -> None:
    """With SARIF for a code host, which points to the line in the recording."""
    done = subprocess.run(
        command("--capture", "-", "--sarif", "verify.sarif"),
        cwd=tmp_path,
        env=environment(),
        input=_WORDS.encode(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert b"BREAKS THE CONTRACT: grammar" in done.stdout
    (run,) = json.loads((tmp_path / "verify.sarif").read_text("utf-8"))["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["grammar", "text"]
    (result,) = run["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 7}
