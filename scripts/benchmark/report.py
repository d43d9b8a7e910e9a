"""What the measurements say: medians over rounds, ratios within a round, the targets, and the table of it all.

A ratio is taken between two servers in the same round and then the median of the rounds, so that a machine
that grows slower from round to round does not change it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from .scenarios import Metric, Result, Scenario

CELL = 22
TEN = 10


@dataclass(slots=True)
class Outcome:
    """All results by scenario, server and round, and what did not work."""

    results: dict[tuple[str, str, int], Result] = field(default_factory=dict)
    errors: dict[tuple[str, str], str] = field(default_factory=dict)

    def value(self, scenario: str, server: str, key: str) -> float | None:
        found = [r.figures[key] for (s, v, _), r in self.results.items() if (s, v) == (scenario, server)]
        return median(found) if found else None

    def ratio(self, scenario: str, server: str, to: str, key: str) -> float | None:
        found = [
            result.figures[key] / self.results[scenario, to, number].figures[key]
            for (s, v, number), result in self.results.items()
            if (s, v) == (scenario, server) and (scenario, to, number) in self.results
        ]
        return median(found) if found else None

    def note(self, scenario: str, server: str) -> str:
        notes = [r.note for (s, v, _), r in self.results.items() if (s, v) == (scenario, server) and r.note]
        return notes[-1] if notes else ""


@dataclass(frozen=True, slots=True)
class Target:
    scenario: str
    key: str
    to: str
    at_most: float
    says: str


TARGETS = (
    Target("reply", "cpu_us_a_reply", "bare", 1.2, "CPU of an 8-word reply"),
    Target("burst", "cpu_us_an_event", "node", 0.8, "CPU an event of 200 words at once"),
    Target("streams", "cpu_us_an_event", "bare", 1.0, "CPU an event of 1,000 streams"),
    Target("streams", "gap_p99_ms", "bare", 1.2, "p99 gap of 1,000 streams"),
    Target("memory", "kib_a_stream", "bare", 1.0, "memory of an open stream"),
)


def table(outcome: Outcome, scenarios: Sequence[Scenario], titles: dict[str, str]) -> str:
    blocks = [block(outcome, scenario, titles) for scenario in scenarios]
    return "\n\n".join([*blocks, targets(outcome, scenarios, titles)])


def block(outcome: Outcome, scenario: Scenario, titles: dict[str, str]) -> str:
    width = max(map(len, titles.values())) + 1
    heads = "".join(f"{f'{metric.title}, {metric.unit}':>{CELL}}" for metric in scenario.metrics)
    units = f"{'':>{CELL - 20}}{'':>8}{'xbare':>6}{'xNode':>6}" * len(scenario.metrics)
    lines = [scenario.title, f"{'':{width}}{heads}", f"{'':{width}}{units}"]
    for server, title in titles.items():
        if error := outcome.errors.get((scenario.name, server)):
            lines.append(f"{title:{width}}  did not work: {error}")
            continue
        cells = "".join(cell(outcome, scenario.name, server, metric) for metric in scenario.metrics)
        lines.append(f"{title:{width}}{cells}")
        if note := outcome.note(scenario.name, server):
            lines.append(f"{'':{width}}  ^ {note}")
    return "\n".join(line.rstrip() for line in lines)


def cell(outcome: Outcome, scenario: str, server: str, metric: Metric) -> str:
    value = outcome.value(scenario, server, metric.key)
    shown = "-" if value is None else f"{value:.{metric.digits}f}"
    ratios = [outcome.ratio(scenario, server, to, metric.key) for to in ("bare", "node")]
    return f"{shown:>{CELL - 12}}" + "".join(f"{brief(ratio):>6}" for ratio in ratios)


def brief(ratio: float | None) -> str:
    """At most four digits, so that the columns stay apart whatever the ratio."""
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio < TEN else f"{ratio:.0f}"


def targets(outcome: Outcome, scenarios: Sequence[Scenario], titles: dict[str, str]) -> str:
    measured = {scenario.name for scenario in scenarios}
    lines = ["Targets for this service, in this run"]
    for target in TARGETS:
        if target.scenario not in measured:
            continue
        ratio = outcome.ratio(target.scenario, "service", target.to, target.key)
        verdict = "not measured" if ratio is None else f"{'met' if ratio <= target.at_most else 'MISSED'}: {ratio:.2f}"
        aim = f"<= {target.at_most} x {titles.get(target.to, target.to)}"
        lines.append(f"  {target.says:36}{aim:22}{verdict}")
    return "\n".join(lines)
