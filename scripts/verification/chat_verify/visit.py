"""The state of a run: what is known about the deployment, and what laws pass on to later ones."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from chat_verify import texts
from chat_verify.findings import Finding
from chat_verify.streams import Heard
from chat_verify.target import Target


@dataclass(frozen=True, slots=True)
class Fuzzer:
    """The process that generates requests, and its working directory."""

    process: asyncio.subprocess.Process
    folder: str


@dataclass(slots=True)
class Visit:
    target: Target
    seed: int
    heartbeat_seconds: float
    say: Callable[[str], None]
    """Reports progress."""
    fuzzer: Fuzzer | None = None
    max_examples: int | None = None
    """How many requests the fuzzer generates per operation; 0: only the document's examples; `None`: as time allows."""
    simulates: bool = False
    """Whether the bot obeys `/simulate`: then its words and their timing can be controlled."""
    heard: list[Heard] = field(default_factory=list)
    """Replies that were read to their end and stored."""
    finding: Finding = field(init=False)
    """The finding of the current law."""
    silence: "asyncio.Task[Heard] | None" = None
    """Reads, in the background, from a bot that is silent on purpose."""

    def random(self) -> random.Random:
        """A generator that depends only on the seed and the law, not on other laws."""
        return random.Random(f"{self.seed} {self.finding.law.name}")  # noqa: S311 - not for secrets

    def token(self) -> str:
        """A unique text: an idempotency key, or a mark in a message."""
        return f"{random.SystemRandom().getrandbits(96):024x}"

    def seconds_left(self) -> float:
        """The time left for the current law."""
        return self.target.deadline - monotonic()

    def messages(self, count: int) -> list[str]:
        """Difficult texts in many scripts, which depend only on the seed and the law."""
        return texts.messages(self.random(), count)
