"""A report as JUnit XML, which CI systems show as tests: one per law, and one for reaching the deployment."""

from pathlib import Path
from xml.etree import ElementTree as ET

from chat_verify.findings import Finding, Report, Verdict
from chat_verify.reports.text import account


def write_junit(report: Report, path: Path) -> None:
    """A broken law is a failure; one that could not be seen is skipped; an unreachable deployment is an error."""
    suite = ET.Element("testsuite", name="verify", time=f"{report.seconds:.1f}")
    reached = ET.SubElement(suite, "testcase", classname="verify", name="reached")
    if report.unreachable:
        ET.SubElement(reached, "error", message=_plain(report.unreachable))
    if report.hops:
        ET.SubElement(reached, "system-out").text = _plain("\n".join(report.hops.values()))
    for finding in report.findings.values():
        seconds = f"{finding.seconds:.1f}"
        case = ET.SubElement(suite, "testcase", classname="verify", name=finding.law.name, time=seconds)
        _tell(case, finding, report.seed)
    counts = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error"}
    for name, place in {**counts, "skipped": "testcase/skipped"}.items():
        suite.set(name, str(len(suite.findall(place))))
    tree = ET.ElementTree(suite)
    ET.indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def _tell(case: "ET.Element[str]", finding: Finding, seed: int | None) -> None:
    match finding.verdict:
        case Verdict.BROKEN:
            failure = ET.SubElement(case, "failure", message=_plain(finding.breaches[0].came))
            lines = (line for breach in finding.breaches for line in account(breach, seed))
            failure.text = _plain("\n".join(lines))
        case Verdict.UNSEEN:
            ET.SubElement(case, "skipped", message=_plain(finding.why))
        case Verdict.HELD:
            ET.SubElement(case, "system-out").text = _plain("\n".join([finding.count(), *finding.warnings]))


def _plain(text: str) -> str:
    """Replace what XML cannot contain."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)
