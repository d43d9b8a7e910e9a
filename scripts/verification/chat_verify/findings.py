"""The results of a run: the laws, a finding for each, and the exceptions with which trying a law can end.

Contains only values. Everything else in this package either fills them in or prints them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum


class Verdict(Enum):
    HELD = "held"
    BROKEN = "broken"
    UNSEEN = "could not be seen"


@dataclass(frozen=True, slots=True)
class Recording:
    """A place in a recorded stream."""

    name: str
    line: int


class Broken(Exception):
    """The deployment broke a law: the one being tried, unless another is named."""

    def __init__(self, request: str, came: str, contract: str, *, law: str = "") -> None:
        super().__init__(f"{request}: {came}")
        self.request = request
        self.came = came
        self.contract = contract
        """What the contract requires instead and, if known, what to do next."""
        self.law = law
        self.seen_by = ""
        """The law that was being tried."""
        self.recording: Recording | None = None
        """The place in a recorded stream; `None` for a live one."""


class Unseen(Exception):
    """Whether the law holds could not be determined with this deployment."""


class HopAnswered(Unseen):
    """A proxy in front of the service responded instead of it, which is allowed."""


class Unreachable(Exception):
    """There is no service to verify; the message says why, and what to do next."""


@dataclass(frozen=True, slots=True)
class Law:
    name: str
    meaning: str
    weight: float
    """Its share of the time, relative to the other laws."""


@dataclass(slots=True)
class Finding:
    """The result for one law."""

    law: Law
    verdict: Verdict = Verdict.UNSEEN
    tried: int = 0
    """How many messages or other requests it was tried with."""
    unit: str = "messages"
    seconds: float = 0.0
    why: str = "there was no time for it"
    """Why it could not be seen."""
    breaches: list[Broken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """How much of it was tried."""
    warnings: list[str] = field(default_factory=list)
    """What is not a breach here, but would be one elsewhere or for other clients."""

    def count(self) -> str:
        """How many requests it was tried with, as text."""
        return f"{self.tried} {self.unit if self.tried != 1 else self.unit.removesuffix('s')}"

    def held(self) -> None:
        if self.verdict is not Verdict.BROKEN:
            self.verdict, self.why = Verdict.HELD, ""

    def unseen(self, why: str) -> None:
        if self.verdict is not Verdict.BROKEN:
            self.verdict, self.why = Verdict.UNSEEN, why

    def broken(self, breach: Broken) -> None:
        self.verdict, self.why = Verdict.BROKEN, ""
        self.breaches.append(breach)


@dataclass(slots=True)
class Report:
    """The results of a run, which may have ended early."""

    address: str
    seed: int | None
    """The seed that repeats the run; `None` for a recording."""
    findings: dict[str, Finding]
    """By the law's name."""
    about: list[str] = field(default_factory=list)
    """Facts about the deployment and the run."""
    hops: dict[str, str] = field(default_factory=dict)
    """By kind, responses of proxies in front of the service: the request and the response."""
    messages: int = 0
    requests: int = 0
    seconds: float = 0.0
    is_blind: bool = False
    """Whether it was reached, but no law could be seen."""
    unreachable: str = ""
    """Why there was no service to verify, or why it was gone before the end."""
    interrupted: bool = False

    def exit_status(self) -> int:
        """0: the contract holds; 1: it is broken; 3: cannot be reached; 130: interrupted before anything was found."""
        if any(finding.verdict is Verdict.BROKEN for finding in self.findings.values()):
            return 1
        if self.unreachable:
            return 3
        return 130 if self.interrupted else 0


@contextmanager
def contract_says(request: str, contract: str, *, law: str = "") -> Iterator[None]:
    """Convert errors raised by checks of values into `Broken`."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        came = " ".join(str(error).split())[:600]
        raise Broken(request, came, contract, law=law) from error
