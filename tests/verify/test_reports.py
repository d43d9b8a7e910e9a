"""The findings in formats for programs."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from chat_verify.findings import Broken, Finding, Report
from chat_verify.reports.junit import write_junit
from chat_verify.reports.sarif import write_sarif
from chat_verify.reports.text import as_text
from chat_verify.trying import LAWS


def _report() -> Report:
    """One law for each verdict, and a warning."""
    grammar, text, browser = (Finding(law) for law in LAWS if law.name in {"grammar", "text", "browser"})
    grammar.broken(Broken("POST /api/chat", "a \x00 in the stream", "no NUL"))
    text.unseen("no reply was completed")
    browser.held()
    browser.warnings.append("a browser elsewhere is refused")
    findings = {finding.law.name: finding for finding in (grammar, text, browser)}
    return Report("http://127.0.0.1:8000", 1, findings, hops={"TRACE 405": "TRACE /: a hop answered"})


def _run(report: Report, folder: Path) -> Any:  # noqa: ANN401 - JSON has no narrower type
    write_sarif(report, folder / "verify.sarif")
    (run,) = json.loads((folder / "verify.sarif").read_text("utf-8"))["runs"]
    return run


def test_sarif_has_a_result_for_each_breach_and_each_warning(tmp_path: Path) -> None:
    """With the law as its rule, and a location, which code hosts require."""
    run = _run(_report(), tmp_path)
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["grammar", "text", "browser"]
    told = [(result["ruleId"], rules[result["ruleIndex"]], result["level"]) for result in run["results"]]
    assert told == [("grammar", "grammar", "error"), ("browser", "browser", "warning")]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "openapi.yaml"}, "region": {"startLine": 1}}
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notification == {"level": "note", "message": {"text": "TRACE /: a hop answered"}}


def test_the_same_breach_has_the_same_fingerprint(tmp_path: Path) -> None:
    """Whatever ids are in it: a code host shows it once, not again after each run."""
    prints = []
    for came in ("reply 1", "reply 2"):
        report = _report()
        report.findings["grammar"].breaches[0].came = came
        prints.append(_run(report, tmp_path)["results"][0]["partialFingerprints"])
    assert prints[0] == prints[1]


def test_sarif_of_what_was_not_reached_is_of_a_run_that_failed(tmp_path: Path) -> None:
    """Otherwise a code host would consider its alerts fixed."""
    report = Report("http://127.0.0.1:9", 1, {}, unreachable="nothing listens there")
    (invocation,) = _run(report, tmp_path)["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["level"] == "error"


def test_junit_has_a_case_for_each_law(tmp_path: Path) -> None:
    """Failed, skipped or passed; what XML cannot contain is replaced."""
    write_junit(_report(), tmp_path / "verify.xml")
    suite = ET.parse(tmp_path / "verify.xml").getroot()  # noqa: S314 - written by the verifier
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
    }
    assert [(case.get("name"), [child.tag for child in case]) for case in suite] == [
        ("reached", ["system-out"]),
        ("grammar", ["failure"]),
        ("text", ["skipped"]),
        ("browser", ["system-out"]),
    ]


def test_the_text_tells_everything() -> None:
    """The breach, the warning, and the hop."""
    text = as_text(_report())
    for line in ("broken  grammar", "-       text", "warning: a browser elsewhere", "by a hop      TRACE /"):
        assert line in text
    assert text.endswith("BREAKS THE CONTRACT: grammar. Repeat with --seed 1\n")
