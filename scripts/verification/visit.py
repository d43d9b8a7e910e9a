"""One visit to a deployment: what is known of it so far, and what each law leaves to the next ones."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.support.texts import is_white_space, texts

from .findings import Finding
from .streams import Heard
from .target import Target

_SAFE_CHARACTERS = 2_000
"""So long a message may be: far shorter than the contract allows, for models that read it cost money."""


@dataclass(slots=True)
class Visit:
    target: Target
    seed: int
    heartbeat_seconds: float
    say: Callable[[str], None]
    """Tells the progress."""
    simulates: bool = False
    """Whether the bot obeys `/simulate`; then it says exactly what it is told, as slowly as wanted."""
    heard: list[Heard] = field(default_factory=list)
    """Replies that were read to their end and stored."""
    finding: Finding = field(init=False)
    """Of the law that is being tried."""
    silence: "asyncio.Task[Heard] | None" = None
    """Waits all the while for a bot that is silent on purpose."""

    def random(self) -> random.Random:
        """The same for the same seed and law, whatever the other laws have drawn."""
        return random.Random(f"{self.seed} {self.finding.law.name}")  # noqa: S311 - chooses, keeps no secret

    def token(self) -> str:
        """What nobody has sent before: an idempotency key, or a mark in a message."""
        return f"{random.SystemRandom().getrandbits(96):024x}"

    def seconds_left(self) -> float:
        """For the law that is being tried."""
        return self.target.deadline - monotonic()

    def messages(self, count: int) -> list[str]:
        """Texts of every script and with every trap, the same for the same seed and law."""
        drawn: list[str] = []

        @seed(self.random().getrandbits(64))
        @settings(
            max_examples=8 * count,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(texts)
        def draw(text: str) -> None:
            if is_message(text):
                drawn.append(text)

        draw()
        return sorted(set(drawn), key=drawn.index)[-count:]  # the first ones are the simplest


def is_message(text: str) -> bool:
    """Whether the contract takes it, and no bot takes it for a command."""
    return (
        not all(map(is_white_space, text))
        and len(text) <= _SAFE_CHARACTERS
        and not text.lstrip().startswith("/")
        and "\0" not in text
    )
