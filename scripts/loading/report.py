"""What a run says: a line at each look, a summary, and whether it is good enough."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .crowd import Look, Plan
from .tally import Seen, Tally


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`None` is no threshold. Times in milliseconds, of 99 in a hundred."""

    first_ms: float | None
    late_ms: float | None
    errors: int


def line(look: Look) -> str:
    seen = look.seen
    parts = [
        f"{look.at_seconds:5.0f} s",
        f"{look.streams:5} streams",
        f"{seen.words / look.took_seconds:6.0f} words/s",
        f"{seen.ended.total():4} ended",
        f"first {_pair(seen.first.percentile_ms(0.5), seen.first.percentile_ms(0.99))}",
        f"late {_pair(seen.late.percentile_ms(0.5), seen.late.percentile_ms(0.99))}",
    ]
    if usage := look.usage:
        parts.append(f"cpu {usage.cpu_percent:.0f} %  {usage.memory_mib:.0f} MiB  {usage.descriptors} fds")
    if seen.repaired:
        parts.append(f"asked again: {_counts(seen.repaired)}")
    if seen.errors:
        parts.append(f"ERRORS: {_counts(seen.errors)}")
    return "  ".join(parts)


def summary(tally: Tally) -> str:
    seen = tally.total
    lines = [
        f"{seen.words} words; {_counts(seen.ended)}",
        f"asked again, as the documentation says: {_counts(seen.repaired) or 'never'}",
        _percentiles("first word", seen.first.percentile_ms),
        _percentiles("a word's delay", seen.late.percentile_ms),
        f"errors: {_counts(seen.errors) or 'none'}",
        *(f"  {example}" for example in tally.examples),
    ]
    return "\n".join(lines)


def missed(seen: Seen, thresholds: Thresholds) -> list[str]:
    """The thresholds that were missed."""
    said: list[str] = []
    if seen.errors.total() > thresholds.errors:
        said.append(f"{seen.errors.total()} errors, at most {thresholds.errors} allowed")
    for what, histogram, most in (
        ("first word", seen.first, thresholds.first_ms),
        ("a word's delay", seen.late, thresholds.late_ms),
    ):
        if most is not None and (value := histogram.percentile_ms(0.99)) > most:
            said.append(f"{what}: p99 is {value:.0f} ms, at most {most:.0f} ms allowed")
    if not seen.words:
        said.append("no word came")
    return said


def as_json(plan: Plan, tally: Tally, looks: Sequence[Look]) -> str:
    seen = tally.total
    rows = [
        {
            "at_seconds": round(look.at_seconds, 1),
            "streams": look.streams,
            "words_a_second": round(look.seen.words / look.took_seconds, 1),
            "first_p99_ms": round(look.seen.first.percentile_ms(0.99), 1),
            "late_p99_ms": round(look.seen.late.percentile_ms(0.99), 1),
            **(
                {
                    "memory_mib": round(look.usage.memory_mib, 1),
                    "descriptors": look.usage.descriptors,
                    "threads": look.usage.threads,
                    "cpu_percent": look.usage.cpu_percent,
                    "tasks": look.usage.tasks,
                    "database_mib": look.usage.database_mib,
                }
                if look.usage
                else {}
            ),
        }
        for look in looks
    ]
    whole = {
        "streams": plan.streams,
        "pace_ms": plan.pace_ms,
        "words_of_a_reply": plan.words,
        "words": seen.words,
        "ended": seen.ended,
        "asked_again": seen.repaired,
        "errors": seen.errors,
        "first_ms": {f"p{share:g}": round(seen.first.percentile_ms(share / 100), 1) for share in _SHARES},
        "late_ms": {f"p{share:g}": round(seen.late.percentile_ms(share / 100), 1) for share in _SHARES},
        "looks": rows,
    }
    return json.dumps(whole, indent=1) + "\n"


_SHARES = (50, 90, 99, 99.9)


def _percentiles(what: str, percentile_ms: Callable[[float], float]) -> str:
    return f"{what}: " + ", ".join(f"p{share:g} {percentile_ms(share / 100):.0f} ms" for share in _SHARES)


def _pair(first: float, second: float) -> str:
    return f"{first:.0f}/{second:.0f} ms"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
