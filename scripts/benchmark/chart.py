"""Draws the results as bars of the ratio to bare ASGI, with the targets marked. Plain SVG, no dependency."""

from collections.abc import Sequence

from scripts.svg import ACCENT, ALERT, FAINT, picture, text

from .measuring import Scenario
from .report import TARGETS, Outcome, Target

LEFT = 170
PLOT = 520
BAR = 18
STEP = 26
CLIP = 4.0  # a higher ratio is clipped and labelled: what matters is around 1
BARE, OTHERS = "#5b6770", "#b9c2c9"


def draw(outcome: Outcome, scenarios: Sequence[Scenario], titles: dict[str, str], subtitle: str) -> str:
    measured = {scenario.name: scenario for scenario in scenarios}
    panels = [target for target in TARGETS if target.scenario in measured]
    parts: list[str] = []
    top = 78
    for target in panels:
        parts.append(panel(outcome, measured[target.scenario], target, titles, top))
        top += 44 + STEP * len(titles) + 26
    return picture(top, "Cost of a stream, relative to bare ASGI (lower is better)", subtitle, "".join(parts))


def panel(outcome: Outcome, scenario: Scenario, target: Target, titles: dict[str, str], top: int) -> str:
    metric = next(metric for metric in scenario.metrics if metric.key == target.key)
    heading = f"{target.says[0].upper()}{target.says[1:]}"
    parts = [text(24, top + 14, heading, font_size=14, font_weight=600)]
    labels: list[str] = []
    first = top + 32
    for row, (server, title) in enumerate(titles.items()):
        y = first + row * STEP
        value = outcome.value(scenario.name, server, metric.key)
        ratio = outcome.beside(scenario.name, server, "bare", metric.key)
        parts.append(text(LEFT - 10, y + 14, title, text_anchor="end", font_weight=600 if server == "service" else 400))
        if value is None or ratio is None:
            parts.append(text(LEFT + 6, y + 14, "not measured", fill=FAINT))
            continue
        length = min(ratio, CLIP) / CLIP * PLOT
        colour = {"service": ACCENT, "bare": BARE}.get(server, OTHERS)
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>\n')
        if ratio > CLIP:
            parts.append(tear(LEFT + PLOT - 26, y))
        label = f"{ratio:.2f} x ({value:.{metric.digits}f} {metric.unit})"
        labels.append(text(LEFT + length + 8, y + 14, label))
    return "".join([*parts, aim(outcome, target, titles, first), *labels])


def aim(outcome: Outcome, target: Target, titles: dict[str, str], first: int) -> str:
    """The target as a line; a target relative to another server is converted to a ratio to bare ASGI."""
    base = outcome.beside(target.scenario, target.to, "bare", target.key)
    if base is None:
        return ""
    x = LEFT + min(target.limit * base, CLIP) / CLIP * PLOT
    bottom = first + STEP * len(titles)
    says = f"target {target.limit} x {titles[target.to]}"
    line = f'<line x1="{x:.1f}" y1="{first - 5}" x2="{x:.1f}" y2="{bottom}" stroke="{ALERT}" stroke-width="1.5" '
    return f'{line}stroke-dasharray="4 3"/>\n' + text(
        x, bottom + 13, says, fill=ALERT, font_size=11, text_anchor="middle"
    )


def tear(x: float, y: int) -> str:
    """A white slash through a bar that is longer than the plot."""
    points = f"{x},{y + BAR + 2} {x + 8},{y - 2} {x + 13},{y - 2} {x + 5},{y + BAR + 2}"
    return f'<polygon points="{points}" fill="#ffffff"/>\n'
