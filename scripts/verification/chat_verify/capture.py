"""Checks a recorded stream offline: a file written by `curl -N`, with or without the headers of `curl -i`.

Owns the parsing of recordings. The grammar is the same as for live streams.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from chat_verify.contract import STREAM_TYPE, VERSION
from chat_verify.findings import Broken, Finding, Law, Recording, Report
from chat_verify.grammar import RULE, TEXT_RULE, StreamBroken, Transcript, check_stream
from chat_verify.sse import Parser

STDIN = "-"
_HEAD = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n")
_STATUS_OK = 200
_INTERRUPTED = (
    f"{RULE}. A stream without done or failed was interrupted, even if the connection closed cleanly: "
    "resume it with the last id as Last-Event-ID"
)


def check_capture(name: str, laws: Sequence[Law], after: int = 0) -> Report:
    """Check the recording in a file or on standard input (`-`) by the laws that apply to a single stream.

    `after` is the number of words before it, if it was recorded with `Last-Event-ID`. Raises `OSError`.
    """
    raw = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    findings = {law.name: Finding(law, unit="events") for law in laws if law.name in {"grammar", "text"}}
    report = Report(
        "standard input" if name == STDIN else name, None, findings, about=[f"contract {VERSION}", "a recording"]
    )
    try:
        skipped, body = _body(raw)
    except ValueError as error:
        report.unreachable = str(error)
        return report
    events = len(Parser().feed(body))
    for finding in findings.values():
        finding.tried = events
    try:
        told = check_stream(body, after)
    except StreamBroken as broken:
        _blame(broken, findings, Recording(report.address, skipped + broken.line), body, after)
    else:
        for finding in findings.values():
            finding.held()
        report.about.append(_summary(told))
    return report


def _body(raw: bytes) -> tuple[int, bytes]:
    """How many lines the headers have, if there are any, and the body. Raises `ValueError`."""
    skipped = 0
    while head := _HEAD.match(raw):  # there may be several: 100 Continue, or a proxy's CONNECT
        status = int(head[1])
        skipped += head[0].count(b"\n")
        raw = raw[head.end() :]
        media_type = re.search(rb"^content-type: *([^;\r\n]+)", head[0], re.IGNORECASE | re.MULTILINE)
        came = f"{status} {media_type[1].decode('latin-1') if media_type else ''}".rstrip()
        if status >= _STATUS_OK and came != f"200 {STREAM_TYPE}":
            raise ValueError(f"it is not a stream but {came}")
    if not raw.strip():
        raise ValueError("it is empty")
    return skipped, raw


def _blame(broken: StreamBroken, findings: dict[str, Finding], where: Recording, body: bytes, after: int) -> None:
    contract = TEXT_RULE if broken.law == "text" else RULE
    if str(broken).startswith("the stream ends"):
        contract = _INTERRUPTED
    elif not after and "number" in str(broken) and "but 1 is next" in str(broken):
        contract = f"{RULE}. If it was recorded with Last-Event-ID, give the number in it with --after"
    breach = Broken(f"line {where.line}", str(broken), contract)
    breach.recording = where
    for name, finding in findings.items():
        if name == broken.law:
            finding.broken(breach)
        else:
            finding.unseen(f"the law {broken.law} was broken first")
    last = body.rstrip(b"\n").rpartition(b"\n")[2]
    breach.came += f". Its last line: {last[:120]!r}"


def _summary(told: Transcript) -> str:
    if told.failed:
        return f"{len(told.words)} words, then failed: {told.end['type']}"
    return f"{len(told.words)} words, then done: {told.end['finish_reason']}"
