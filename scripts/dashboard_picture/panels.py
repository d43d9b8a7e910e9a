"""The panels of docs/deploy/dashboard.json, and their data from a Prometheus server."""

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).parent.parent.parent / "docs" / "deploy" / "dashboard.json"

Points = Sequence[tuple[float, float]]
"""Seconds since 1970, and values."""


@dataclass(frozen=True, slots=True)
class Target:
    """A query, and what to call each of its series; `{{label}}` stands for a label's value."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A plot."""

    title: str
    unit: str
    targets: Sequence[Target]


def panels(dashboard: Mapping[str, Any]) -> list[Panel]:
    """All plots of a dashboard, in its order."""
    return [
        Panel(
            panel["title"],
            panel["fieldConfig"]["defaults"]["unit"],
            [Target(target["expr"], target["legendFormat"]) for target in panel["targets"]],
        )
        for panel in dashboard["panels"]
        if panel["type"] != "row"
    ]


def filled_in(expression: str, *, seconds: int, job: str = "chat") -> str:
    """A query without Grafana's variables, over the last `seconds`."""
    values = {"$__rate_interval": "15s", "$__range": f"{seconds}s", "$job": job, "$instance": ".*"}
    for name, value in values.items():
        expression = expression.replace(name, value)
    return expression


def data(url: str, target: Target, begin: float, end: float) -> dict[str, Points]:
    """What the server has for a query from `begin` to `end`, by legend. Values that are not numbers are left out."""
    query = {
        "query": filled_in(target.expression, seconds=int(end - begin)),
        "start": str(begin),
        "end": str(end),
        "step": "2",
    }
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{urllib.parse.urlencode(query)}") as answer:  # noqa: S310 - ours
        found = json.load(answer)["data"]["result"]
    return {
        _legend(target.legend, series["metric"]): [
            (float(at), float(value)) for at, value in series["values"] if value not in {"NaN", "+Inf"}
        ]
        for series in found
    }


def _legend(template: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), template)
