"""A report for people: each law with its verdict, each breach with what was sent, received and expected."""

import textwrap
from collections.abc import Iterator

from chat_verify.findings import Broken, Finding, Report, Verdict

_WIDTH = 120
_INDENT = " " * 12


def as_text(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    if report.seed is None:
        yield f"{report.address}: {', '.join(report.about)}"
    else:
        yield f"{report.address}: {', '.join([*report.about, f'seed {report.seed}'])}"
        yield f"{report.messages} messages, {report.requests} requests, {report.seconds:.0f} s"
    yield ""
    if not report.unreachable or any(finding.tried for finding in report.findings.values()):
        for finding in report.findings.values():
            yield from _of(finding, report.seed)
        for answered in report.hops.values():
            yield from _wrapped("note    by a hop      ", answered, indent="")
        yield ""
    yield from textwrap.wrap(conclusion(report), _WIDTH)


def conclusion(report: Report) -> str:
    findings = report.findings.values()
    broken = [finding.law.name for finding in findings if finding.verdict is Verdict.BROKEN]
    unseen = [finding.law.name for finding in findings if finding.verdict is Verdict.UNSEEN]
    gone = f" CANNOT BE REACHED: {report.unreachable}" if report.unreachable else ""
    stopped = " Interrupted: the rest was not tried." if report.interrupted else ""
    again = "" if report.seed is None else f" Repeat with --seed {report.seed}"
    if broken:
        return f"BREAKS THE CONTRACT: {', '.join(broken)}.{gone}{stopped}{again}"
    if gone or stopped:
        return f"{gone}{stopped}".strip()
    count = len(findings) - len(unseen)
    held = f"HOLDS: {count} {'law' if count == 1 else 'laws'} held"
    return f"{held}; {len(unseen)} could not be seen: {', '.join(unseen)}." if unseen else f"{held}."


def _of(finding: Finding, seed: int | None) -> Iterator[str]:
    tried = finding.count() if finding.tried else ""
    name = finding.law.name
    if finding.verdict is Verdict.UNSEEN:
        yield from _wrapped(f"-       {name:12}  could not be seen: ", finding.why, indent="")
        return
    notes = "; ".join(note for note in (tried, *finding.notes) if note and "GET" not in note)
    yield f"{finding.verdict.value:8}{name:12}  {finding.law.meaning}{f' ({notes})' if notes else ''}"
    for breach in finding.breaches:
        yield from account(breach, seed)
    for warning in finding.warnings:
        yield from _wrapped("warning: ", warning)


def account(breach: Broken, seed: int | None) -> Iterator[str]:
    """A breach as lines of text."""
    yield from _wrapped("where:    " if breach.recording else "sent:     ", breach.request)
    yield from _wrapped("received: ", breach.came)
    yield from _wrapped("expected: ", breach.contract)
    if breach.seen_by:
        yield from _wrapped("repeat:   ", f"--seed {seed} --law {breach.seen_by}")


def _wrapped(title: str, text: str, indent: str = _INDENT) -> Iterator[str]:
    following = indent + " " * len(title) if indent else " " * 22
    yield from textwrap.wrap(
        title + text, _WIDTH, initial_indent=indent, subsequent_indent=following, break_on_hyphens=False
    )
