"""A pytest plugin: `pytest --chat-verify-url URL` adds a test item for each law to the existing tests.

A broken law fails with the same report as the command's, a law that could not be seen is skipped, and a deployment that
cannot be reached is an error. `-k resume` selects laws. The package is imported only if there is a URL.
"""

import asyncio
import os
import random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from chat_verify.findings import Law, Report

NAME = "chat-verify"
_LEAST_SECONDS = 15.0
"""For one law: each item probes the deployment again, and the fuzzer takes seconds to start."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(NAME, "verify a running chat backend against its contract")
    add = group.addoption
    add("--chat-verify-url", metavar="URL", default="", help="the deployment; adds a test item for each law")
    add("--chat-verify-key", metavar="KEY", default=os.environ.get("VERIFY_KEY", ""), help="default: VERIFY_KEY")
    add(
        "--chat-verify-other-key",
        metavar="KEY",
        default=os.environ.get("VERIFY_OTHER_KEY", ""),
        help="a key of another name; default: VERIFY_OTHER_KEY",
    )
    add("--chat-verify-ca", metavar="FILE", default="", help="certificates to trust, for https")
    add("--chat-verify-seconds", type=float, default=60.0, metavar="N", help="maximum seconds per law (default: 60)")
    add("--chat-verify-rate", type=float, default=5.0, metavar="N", help="maximum messages per second (default: 5)")
    add("--chat-verify-heartbeat", type=float, default=15.0, metavar="SECONDS", help="its CHAT_HEARTBEAT_SECONDS")
    add("--chat-verify-seed", type=int, default=None, metavar="N", help="repeat a run with the same texts")


@pytest.hookimpl(tryfirst=True)  # before -k selects
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the items of the laws."""
    if config.getoption("--chat-verify-url"):
        items += Laws.from_parent(session, name=NAME, nodeid=NAME).collect()


class NotReached(Exception):
    """The deployment could not be reached; this says nothing about the law."""


class Laws(pytest.Collector):
    """All laws for one deployment."""

    def collect(self) -> list["LawItem"]:
        from chat_verify.trying import LAWS  # noqa: PLC0415 - only when there is a URL

        return [LawItem.from_parent(self, name=law.name, law=law) for law in LAWS]


class LawItem(pytest.Item):
    """One law."""

    def __init__(self, name: str, parent: pytest.Collector, law: "Law") -> None:
        super().__init__(name, parent)
        self.law = law
        self._report: Report

    def setup(self) -> None:
        """Try the law here, so that an unreachable deployment is an error rather than a failure."""
        self._report = self._verified()
        if self._report.unreachable and not self._report.is_blind:
            raise NotReached(self._report.unreachable)

    def runtest(self) -> None:
        """Report the finding."""
        from chat_verify.findings import Verdict  # noqa: PLC0415 - see Laws
        from chat_verify.reports.text import as_text  # noqa: PLC0415

        text = as_text(self._report)
        finding = self._report.findings[self.law.name]
        if finding.verdict is Verdict.BROKEN:
            pytest.fail(text, pytrace=False)
        if finding.verdict is Verdict.UNSEEN:
            pytest.skip(finding.why)
        self.add_report_section("call", NAME, text)

    def reportinfo(self) -> tuple[str, int | None, str]:
        return NAME, None, f"{self.name}: {self.law.meaning}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:  # noqa: ARG002
        return str(excinfo.value)

    def _verified(self) -> "Report":
        from chat_verify.target import Place  # noqa: PLC0415 - see Laws
        from chat_verify.trying import Options, verify  # noqa: PLC0415

        told = self.config.getoption
        place = Place(
            told("--chat-verify-url").rstrip("/"),
            told("--chat-verify-key"),
            told("--chat-verify-other-key"),
            told("--chat-verify-ca"),
        )
        seed = told("--chat-verify-seed")
        options = Options(
            place,
            random.SystemRandom().randrange(2**32) if seed is None else seed,
            max(_LEAST_SECONDS, told("--chat-verify-seconds")),
            told("--chat-verify-rate"),
            told("--chat-verify-heartbeat"),
            laws=[self.law.name],
        )
        return asyncio.run(verify(options, lambda _line: None))
