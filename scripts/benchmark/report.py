"""Evaluates the measurements: medians over rounds, ratios within a round, targets, and the table.

Servers are compared within a round, and then the median over rounds is taken, so that a machine that slows down from
round to round does not distort the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import sub, truediv
from statistics import median

from .measuring import Beside, Metric, Result, Scenario

VALUE = 23
BESIDE = 8
TEN = 10
HUNDRED = 100


@dataclass(slots=True)
class Outcome:
    """All results by scenario, server and round, and the failures."""

    results: dict[tuple[str, str, int], Result] = field(default_factory=dict)
    errors: dict[tuple[str, str], str] = field(default_factory=dict)

    def value(self, scenario: str, server: str, key: str) -> float | None:
        found = [f for n in self._rounds(scenario, server) if (f := self._figure(scenario, server, n, key)) is not None]
        return median(found) if found else None

    def beside(
        self, scenario: str, server: str, to: str, key: str, how: Callable[[float, float], float] = truediv
    ) -> float | None:
        """The comparison with the server `to`: a ratio or, with `sub`, a difference."""
        found: list[float] = []
        for number in self._rounds(scenario, server):
            figure = self._figure(scenario, server, number, key)
            other = self._figure(scenario, to, number, key)
            if figure is not None and other is not None:
                found.append(how(figure, other))
        return median(found) if found else None

    def _rounds(self, scenario: str, server: str) -> list[int]:
        return [number for s, v, number in self.results if (s, v) == (scenario, server)]

    def _figure(self, scenario: str, server: str, number: int, key: str) -> float | None:
        result = self.results.get((scenario, server, number))
        return result.figures.get(key) if result else None

    def note(self, scenario: str, server: str) -> str:
        notes = [r.note for (s, v, _), r in self.results.items() if (s, v) == (scenario, server) and r.note]
        return notes[-1] if notes else ""


@dataclass(frozen=True, slots=True)
class Target:
    scenario: str
    key: str
    to: str
    limit: float
    says: str
    how: Callable[[float, float], float] = truediv
    """What is limited: the ratio or, with `sub`, the difference."""
    unit: str = ""
    of: str = "service"
    """The server that has to meet it."""
    is_floor: bool = False
    """The limit is the least instead of the most."""

    def aim(self, title: str) -> str:
        if self.how is sub:
            return f"<= {self.limit:g} {self.unit} over {title}"
        return f"{'>=' if self.is_floor else '<='} {self.limit} x {title}"

    def verdict(self, outcome: Outcome) -> str:
        value = outcome.beside(self.scenario, self.of, self.to, self.key, self.how)
        if value is None:
            return "not measured"
        is_met = value >= self.limit if self.is_floor else value <= self.limit
        return f"{'met' if is_met else 'MISSED'}: {value:.2f} {self.unit}".rstrip()


TARGETS = (
    Target("reply", "cpu_us_a_reply", "bare", 2.5, "CPU of an 8-word reply"),
    Target("burst", "cpu_us_an_event", "node", 1.5, "CPU per event, 200 words at once"),
    Target("streams", "cpu_us_an_event", "bare", 1.1, "CPU per event of 1,000 streams"),
    Target("streams", "gap_p99_ms", "bare", 1.2, "p99 gap of 1,000 streams"),
    Target("memory", "kib_a_stream", "bare", 1.2, "memory of an open stream"),
    Target("knee", "streams_a_core", "node", 1.3, "streams that a core carries", is_floor=True),
    Target("gateway-burst", "cpu_us_a_token", "core", 25, "CPU per token at full speed", sub, "µs"),
    Target("gateway-streams", "cpu_us_a_token", "core", 25, "CPU per token of 200 streams", sub, "µs"),
    Target("gateway-streams", "first_p50_ms", "direct", 2, "first word of 200 streams, p50", sub, "ms"),
    Target("protocol-burst", "cpu_us_a_word", "ours", 1.3, "CPU per word in OpenAI's, at full speed", of="openai"),
    Target("protocol-streams", "cpu_us_a_word", "ours", 1.3, "CPU per word in OpenAI's, 500 streams", of="openai"),
    Target("workers", "replies_a_second", "one-worker", 1.8, "replies of two workers", of="two-workers", is_floor=True),
    Target(
        "long", "replies_a_second", "one-worker", 1.8, "long replies of two workers", of="two-workers", is_floor=True
    ),
    Target("sharing", "cpu_us_an_event", "database-alone", 1.3, "CPU per event with Valkey", of="with-valkey"),
    Target("first", "first_p50_ms", "database-alone", 3, "first event with Valkey, p50", sub, "ms", of="with-valkey"),
)


def block(outcome: Outcome, scenario: Scenario, titles: dict[str, str]) -> str:
    width = max(map(len, titles.values())) + 1
    heads = "".join(f"{heading(metric):>{cell_width(metric, titles)}}" for metric in scenario.metrics)
    columns = (
        f"{''.join(f'{b.title:>{BESIDE}}' for b in compared(metric, titles)):>{cell_width(metric, titles)}}"
        for metric in scenario.metrics
    )
    lines = [scenario.title, f"{'':{width}}{heads}", f"{'':{width}}{''.join(columns)}"]
    for server, title in titles.items():
        if error := outcome.errors.get((scenario.name, server)):
            lines.append(f"{title:{width}}  failed: {error}")
            continue
        cells = "".join(cell(outcome, scenario, server, metric, titles) for metric in scenario.metrics)
        lines.append(f"{title:{width}}{cells}")
        if note := outcome.note(scenario.name, server):
            lines.append(f"{'':{width}}  ^ {note}")
    return "\n".join(line.rstrip() for line in lines)


def heading(metric: Metric) -> str:
    return f"{metric.title}, {metric.unit}" if metric.unit else metric.title


def compared(metric: Metric, titles: dict[str, str]) -> list[Beside]:
    """The columns beside a figure: those that compare it with a server of this run."""
    return [beside for beside in metric.beside if beside.to in titles]


def cell_width(metric: Metric, titles: dict[str, str]) -> int:
    return max(VALUE, 9 + BESIDE * len(compared(metric, titles)))


def cell(outcome: Outcome, scenario: Scenario, server: str, metric: Metric, titles: dict[str, str]) -> str:
    value = outcome.value(scenario.name, server, metric.key)
    shown = "-" if value is None else f"{value:.{metric.digits}f}"
    others = [outcome.beside(scenario.name, server, b.to, metric.key, b.how) for b in compared(metric, titles)]
    beside = "".join(f"{brief(other):>{BESIDE}}" for other in others)
    return f"{shown:>{cell_width(metric, titles) - len(beside)}}{beside}"


def brief(figure: float | None) -> str:
    """At most four digits, so that the columns stay separate whatever the figure."""
    if figure is None:
        return "-"
    size = abs(figure)
    return f"{figure:.{2 if size < TEN else 1 if size < HUNDRED else 0}f}"


def targets(outcome: Outcome, scenarios: Sequence[Scenario], titles: dict[str, str]) -> str:
    measured = {scenario.name for scenario in scenarios}
    lines: list[str] = []
    for target in TARGETS:
        if target.scenario not in measured:
            continue
        aim = target.aim(titles.get(target.to, target.to))
        lines.append(f"  {target.says:36}{aim:30}{target.verdict(outcome)}")
    return "\n".join(lines)
