"""One visit to a deployment: what is known of it so far, and what each law leaves to the next ones."""

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
    """The process that makes up requests, and the folder that it runs in."""

    process: asyncio.subprocess.Process
    folder: str


@dataclass(slots=True)
class Visit:
    target: Target
    seed: int
    heartbeat_seconds: float
    say: Callable[[str], None]
    """Reports the progress."""
    fuzzer: Fuzzer | None = None
    max_examples: int | None = None
    """How many requests the fuzzer makes up for each operation; 0 for the document's own examples; as time allows."""
    simulates: bool = False
    """Whether the bot obeys `/simulate`: then it says exactly what it is told, at the pace that it is told."""
    heard: list[Heard] = field(default_factory=list)
    """Replies that were read to their end and stored."""
    finding: Finding = field(init=False)
    """Of the law that is being tried."""
    silence: "asyncio.Task[Heard] | None" = None
    """Waits all the time for a bot that is silent on purpose."""

    def random(self) -> random.Random:
        """The same for the same seed and law, whatever the other laws have drawn."""
        return random.Random(f"{self.seed} {self.finding.law.name}")  # noqa: S311 - it chooses; it keeps no secret

    def token(self) -> str:
        """Something that was never sent before: an idempotency key, or a mark in a message."""
        return f"{random.SystemRandom().getrandbits(96):024x}"

    def seconds_left(self) -> float:
        """For the law that is being tried."""
        return self.target.deadline - monotonic()

    def messages(self, count: int) -> list[str]:
        """Texts of every script and with every trap, the same for the same seed and law."""
        return texts.messages(self.random(), count)
