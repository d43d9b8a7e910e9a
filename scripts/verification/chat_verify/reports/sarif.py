"""A report as SARIF 2.1.0, which code hosts show as alerts: a rule per law, a result per breach or warning.

A live deployment has no file, so its results point to the contract; those of a recorded stream point to the line in the
recording.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chat_verify.contract import VERSION
from chat_verify.findings import Broken, Finding, Report

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_CONTRACT = "openapi.yaml"

_JSON = dict[str, Any]


def write_sarif(report: Report, path: Path) -> None:
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(report)]}
    path.write_text(json.dumps(log, indent=2) + "\n", "utf-8")


def _run(report: Report) -> _JSON:
    rules = [
        {
            "id": finding.law.name,
            "shortDescription": {"text": finding.law.meaning},
            "defaultConfiguration": {"level": "error"},
        }
        for finding in report.findings.values()
    ]
    invocation: _JSON = {"executionSuccessful": not report.unreachable and not report.interrupted}
    if problems := [text for text in (report.unreachable, *report.hops.values()) if text]:
        invocation["toolExecutionNotifications"] = [
            {"level": "error" if text == report.unreachable else "note", "message": {"text": text}} for text in problems
        ]
    return {
        "tool": {"driver": {"name": "chat-verify", "semanticVersion": VERSION, "rules": rules}},
        "invocations": [invocation],
        "results": [result for n, finding in enumerate(report.findings.values()) for result in _results(finding, n)],
        "properties": {"address": report.address, "seed": report.seed},
    }


def _results(finding: Finding, rule: int) -> Iterator[_JSON]:
    for breach in finding.breaches:
        text = f"{breach.came}\n\nSent: {breach.request}\n\nExpected: {breach.contract}"
        yield _result(finding, rule, "error", text, _place(breach))
    for warning in finding.warnings:
        yield _result(finding, rule, "warning", warning, _place(None))


def _result(finding: Finding, rule: int, level: str, text: str, place: _JSON) -> _JSON:
    name = finding.law.name
    print_of_it = hashlib.sha256(f"{name} {level} {place}".encode()).hexdigest()  # the text has ids that change
    return {
        "ruleId": name,
        "ruleIndex": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"law/v1": print_of_it},
    }


def _place(breach: Broken | None) -> _JSON:
    recording = breach.recording if breach else None
    uri, line = (recording.name, recording.line) if recording else (_CONTRACT, 1)
    return {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}
