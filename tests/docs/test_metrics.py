"""The documented metrics are those that there are: in the operators' page, the dashboard and the alert rules."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from app.contract import Contract
from app.observation import counting_of
from app.settings import Settings
from app.telemetry.counting import ALONE
from app.telemetry.table import Family
from scripts.dashboard_picture.panels import DASHBOARD, panels
from tests.contract.document import PROBLEMS
from tests.docs.pages import PAGES, ROOT
from tests.support.scraping import series

_KINDS = {"oldest": "gauge", "all up": "gauge"}


def _exposed() -> str:
    counting = counting_of(Settings(), Contract.load(), ALONE)
    assert counting is not None
    return counting.exposition.text().decode()


def _families() -> Iterator[Family]:
    counting = counting_of(Settings(), Contract.load(), ALONE)
    assert counting is not None
    yield from counting.cells.families


def _row(family: Family) -> list[str]:
    """What the page says of a metric. Of labels with few values it lists these."""
    labels = []
    for index, label in enumerate(family.labels):
        values = list(dict.fromkeys(f"`{values[index]}`" for values in family.series))
        is_listed = 1 < len(values) <= 7
        labels.append(f"`{label}`: {', '.join(values)}" if is_listed else f"`{label}`")
    name = family.name + ("_total" if family.kind == "counter" else "")
    meaning = re.sub(r"(CHAT_[A-Z_]+|Last-Event-ID)", r"`\1`", family.help)
    return [f"`{name}`", _KINDS.get(family.kind, family.kind), "; ".join(labels) or "—", meaning]


def test_the_page_lists_every_metric() -> None:
    """With its kind, its labels and its meaning; and no other."""
    tables = PAGES["operators.md"].tables("Metrics, traces and logs")
    table = next(table for table in tables if table[0][0].startswith("`chat_"))
    build = ["`chat_build_info`", "gauge", "`version`, `python`, `bot`", "The version that runs, always 1."]
    assert table == [*map(_row, _families()), build]
    named = {name.partition("{")[0] for name in series(_exposed()) if name.startswith("chat_")}
    assert {re.sub("_(bucket|count|sum)$", "", name) for name in named} | {"chat_log_up", "chat_lease_age_seconds"} == {
        row[0].strip("`") for row in table
    }


_DEPLOY = ROOT / "docs" / "deploy"
_ALERTS, _TRIALS = _DEPLOY / "alerts.yaml", _DEPLOY / "alerts.test.yaml"
_NAME = re.compile(r"\bchat_\w+")
_SUFFIX = re.compile("_(bucket|count|sum)$")
_ONLY_SOMETIMES = {"chat_log_up", "chat_lease_age_seconds"}
"""Not of a service without a Valkey server, or with SQLite."""


def _names() -> set[str]:
    """All metrics, as queries name them, but for the suffixes of histograms."""
    return {_SUFFIX.sub("", name.partition("{")[0]) for name in series(_exposed())} | _ONLY_SOMETIMES


def _queried(expressions: Iterable[str]) -> set[str]:
    return {_SUFFIX.sub("", name) for expression in expressions for name in _NAME.findall(expression)}


def test_the_dashboard_asks_for_every_metric_and_no_other() -> None:
    """In Grafana's form, with one plot for each title."""
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    plots = panels(dashboard)
    assert _queried(target.expression for plot in plots for target in plot.targets) == {
        name for name in _names() if name.startswith("chat_")
    }
    assert len({plot.title for plot in plots}) == len(plots)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard["panels"])))
    assert used - {"__rate_interval", "__range"} <= variables


def test_the_picture_is_of_this_dashboard() -> None:
    """`scripts/dashboard` draws it: all plots, in the same order."""
    drawn = re.findall(r'font-weight="600"[^>]*>([^<]*)<', DASHBOARD.with_suffix(".svg").read_text("utf-8"))
    assert drawn[1:] == [html.escape(plot.title) for plot in panels(json.loads(DASHBOARD.read_text("utf-8")))]


def test_the_alerts_ask_for_metrics_that_there_are() -> None:
    """Of types of problems that there are; and each has a trial that makes it fire, and one that does not."""
    rules = [rule for group in yaml.safe_load(_ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]]
    text = " ".join(rule["expr"] for rule in rules)
    assert _queried([text]) <= _names()
    types = {kind for named in re.findall(r'type=~?"([^"]*)"', text) for kind in named.split("|")}
    assert types
    assert types <= PROBLEMS.keys()
    trials = [trial["name"] for trial in yaml.safe_load(_TRIALS.read_text("utf-8"))["tests"]]
    assert sorted(trials) == sorted(f"{rule['alert']} {how}" for rule in rules for how in ("fires", "is quiet"))
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "description"}


_PROMTOOL = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is in Debian's package `prometheus`")


@_PROMTOOL
def test_promtool_accepts_the_scrape_configuration(tmp_path: Path) -> None:
    """Of the operators' page."""
    file = tmp_path / "prometheus.yml"
    file.write_text(PAGES["operators.md"].block("yaml", "What to watch").text, "utf-8")
    run = subprocess.run(["promtool", "check", "config", file], capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@_PROMTOOL
@pytest.mark.parametrize("arguments", [("check", "rules", _ALERTS.name), ("test", "rules", _TRIALS.name)])
def test_promtool_accepts_the_alerts_and_their_trials(arguments: Sequence[str]) -> None:
    """The program that comes with Prometheus."""
    run = subprocess.run(["promtool", *arguments], cwd=_DEPLOY, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stdout + run.stderr
