"""Draws a run over time: one panel a figure, each from zero, with its median and its extent."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from scripts.svg import ACCENT, FAINT, WIDTH, picture, text

from .crowd import Look
from .watching import Usage

LEFT, PLOT, HEIGHT, STEP, TOP = 24, 680, 56, 92, 84
_HEADROOM = 1.1
_BREAK_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Series:
    """A figure over time."""

    title: str
    unit: str
    digits: int
    points: Sequence[tuple[float, float]]
    """Seconds since the start, and the figure."""


def draw(title: str, subtitle: str, looks: Sequence[Look]) -> str:
    panels = [series for series in all_series(looks) if series.points]
    parts = [panel(series, TOP + STEP * n, looks[-1].at_seconds) for n, series in enumerate(panels)]
    bottom = TOP + STEP * len(panels)
    minutes = looks[-1].at_seconds > _BREAK_SECONDS
    end = f"{looks[-1].at_seconds / 60:.0f} min" if minutes else f"{looks[-1].at_seconds:.0f} s"
    axis = text(LEFT, bottom, "0", fill=FAINT, font_size=11)
    axis += text(LEFT + PLOT, bottom, end, fill=FAINT, font_size=11, text_anchor="end")
    return picture(bottom + 20, title, subtitle, "".join(parts) + axis)


def all_series(looks: Sequence[Look]) -> list[Series]:
    """Those without points were not measured."""

    def used(title: str, unit: str, digits: int, points: list[tuple[float, float | None]]) -> Series:
        return Series(title, unit, digits, [(at, value) for at, value in points if value is not None])

    usages: list[tuple[float, Usage]] = [(look.at_seconds, look.usage) for look in looks if look.usage]
    return [
        Series("Open streams", "", 0, [(look.at_seconds, look.streams) for look in looks]),
        Series("Words a second", "", 0, [(look.at_seconds, look.seen.words / look.took_seconds) for look in looks]),
        Series("First word, p99", "ms", 0, [(look.at_seconds, look.seen.first.percentile_ms(0.99)) for look in looks]),
        Series(
            "A word's delay, p99", "ms", 0, [(look.at_seconds, look.seen.late.percentile_ms(0.99)) for look in looks]
        ),
        used("CPU time, of one core", "%", 0, [(at, usage.cpu_percent) for at, usage in usages]),
        used("Memory (USS)", "MiB", 0, [(at, usage.memory_mib) for at, usage in usages]),
        used("File descriptors", "", 0, [(at, usage.descriptors) for at, usage in usages]),
        used("Tasks", "", 0, [(at, usage.tasks) for at, usage in usages]),
        used("Database", "MiB", 1, [(at, usage.database_mib) for at, usage in usages]),
    ]


def panel(series: Series, top: float, seconds: float) -> str:
    most = max(value for _, value in series.points) * _HEADROOM or 1.0
    base = top + 16 + HEIGHT
    points = " ".join(
        f"{LEFT + at / seconds * PLOT:.1f},{base - value / most * HEIGHT:.1f}" for at, value in series.points
    )
    values = [value for _, value in series.points]
    usual = f"{median(values):,.{series.digits}f} {series.unit}".rstrip()
    extent = f"{min(values):,.{series.digits}f} to {max(values):,.{series.digits}f}"
    return (
        text(LEFT, top + 8, series.title, font_weight=600)
        + f'<line x1="{LEFT}" y1="{base}" x2="{LEFT + PLOT}" y2="{base}" stroke="{FAINT}" stroke-width="0.5"/>\n'
        + f'<polyline points="{points}" fill="none" stroke="{ACCENT}" stroke-width="1.5"/>\n'
        + text(WIDTH - 24, base - 22, usual, text_anchor="end", font_weight=600)
        + text(WIDTH - 24, base - 6, extent, text_anchor="end", font_size=11, fill=FAINT)
    )
