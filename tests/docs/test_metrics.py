"""The documented metrics are those that there are: in the operators' page, the dashboard and the alert rules."""

import re
from collections.abc import Iterator

from app.main import counting_of
from app.settings import Settings
from app.telemetry.counting import ALONE
from app.telemetry.table import Family
from tests.docs.pages import PAGES
from tests.support.scraping import series

_KINDS = {"oldest": "gauge", "all up": "gauge"}


def _exposed() -> str:
    counting = counting_of(Settings(), ALONE)
    assert counting is not None
    return counting.exposition.text().decode()


def _families() -> Iterator[Family]:
    counting = counting_of(Settings(), ALONE)
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
