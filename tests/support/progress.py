"""Reports the progress of a test run: a line for each file when its last test has ended, in any worker.

Replaces pytest's dots, which show neither file nor time when files run in parallel. Failures are reported at once. With
`-v` or `-q`, pytest's own output stays.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

_SLOWEST = 10

_Status = tuple[str, str, str | tuple[str, Mapping[str, bool]]]


@dataclass(slots=True)
class _File:
    """The state of a test file."""

    tests: int
    done: set[str] = field(default_factory=set)
    seconds: float = 0
    outcomes: Counter[str] = field(default_factory=Counter)


class Progress:
    """A pytest plugin for the reporting process."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        """`terminal` prints the lines."""
        self._terminal = terminal
        self._began = time.monotonic()
        self._files: dict[str, _File] = {}
        self._durations: defaultdict[str, float] = defaultdict(float)
        terminal.showfspath = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the tests if they run in this process."""
        self._count([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Count the tests if worker processes run them; all workers have the same list."""
        self._count(ids)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, _Status, _Status]:
        """Let pytest count, but print no letter."""
        category, _, word = yield
        return category, "", word

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Report each failure, and each file when it is done."""
        name = report.nodeid.partition("::")[0]
        file = self._files.setdefault(name, _File(1))
        file.seconds += report.duration
        self._durations[report.nodeid] += report.duration
        if report.failed:
            self._say(f"FAILED {report.nodeid}" + (f" ({report.when})" if report.when != "call" else ""), red=True)
        if report.when == "call" or not report.passed:
            file.outcomes[report.outcome] += 1
        if report.when == "teardown":
            file.done.add(report.nodeid)
            if len(file.done) == file.tests:
                outcomes = ", ".join(f"{number} {outcome}" for outcome, number in sorted(file.outcomes.items()))
                self._say(f"{name}: {outcomes} in {file.seconds:.1f} s", red="failed" in file.outcomes)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self) -> None:
        """List the slowest tests; pytest prints the total last."""
        self._terminal.write_sep("=", f"slowest {_SLOWEST} tests, including their setup")
        for nodeid, seconds in sorted(self._durations.items(), key=lambda item: -item[1])[:_SLOWEST]:
            self._terminal.write_line(f"{seconds:7.1f} s  {nodeid}")

    def _count(self, ids: Sequence[str]) -> None:
        tests = Counter(nodeid.partition("::")[0] for nodeid in ids)
        self._files = {name: _File(number) for name, number in tests.items()}

    def _say(self, text: str, *, red: bool = False) -> None:
        total = sum(file.tests for file in self._files.values())
        done = sum(len(file.done) for file in self._files.values())
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        line = f"{minutes:2}:{seconds:02} {100 * done // max(total, 1):3}%  {text}"
        self._terminal.write_line(line, red=red)
