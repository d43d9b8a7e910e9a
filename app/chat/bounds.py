"""What replies may cost: time, length, memory. The settings of `app.settings`, as the domain takes them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplyBounds:
    """What one reply may cost."""

    characters: int
    silence_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """What all replies may cost."""

    reply: ReplyBounds
    open_streams: int
    resume_window_seconds: float
    unread_seconds: float
    """How long a reply that was asked to continue goes on without a reader."""
    retention_seconds: float
    save_every_seconds: float
    history_messages: int
    history_characters: int
