"""Limits on the time, length and memory that replies may use: the settings of `app.settings` that the domain needs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplyBounds:
    """Limits for one reply."""

    characters: int
    silence_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits for all replies."""

    reply: ReplyBounds
    open_streams: int
    is_shared: bool
    """Whether other instances may use the same store."""
    lease_seconds: float
    """After so long without a sign of life, they take this one for dead; infinite if there are none."""
    resume_window_seconds: float
    unread_seconds: float
    """How long a reply whose request says `continues_unread` runs without a reader."""
    retention_seconds: float
    save_every_seconds: float
    history_messages: int
    history_characters: int
