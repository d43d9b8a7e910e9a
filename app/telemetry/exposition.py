"""What Prometheus reads: the numbers of all processes, added up, in its text format or in OpenMetrics."""

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import assert_never

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from app.telemetry.cells import Cells
from app.telemetry.metrics import DOWN
from app.telemetry.table import EXEMPLAR, Family


class Exposition(Collector):
    """Writes the metrics. Any process can, for all."""

    def __init__(self, cells: Cells, version: str, labels: dict[str, str]) -> None:
        """`version` is the service's; `labels` say more of how it was built and set up."""
        self._cells = cells
        self._build = {"version": version, "python": platform.python_version(), **labels}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        if not cells.is_shared:
            ProcessCollector(registry=self._registry)  # of several, it would tell about one

    def text(self) -> bytes:
        """In Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def openmetrics(self) -> bytes:
        """In OpenMetrics' text format, version 1.0.0."""
        written: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]  # it has no types
        return written

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        for family in self._cells.families:
            yield self._metric(family)
        build = GaugeMetricFamily("chat_build_info", "The version that runs, always 1.", labels=list(self._build))
        build.add_metric(list(self._build.values()), 1)
        yield build

    def describe(self) -> list[Metric]:
        """Nothing: the registry would collect everything to learn the names."""
        return []

    def _metric(self, family: Family) -> Metric:
        match family.kind:
            case "histogram":
                return self._histogram(family)
            case "counter":
                counter = CounterMetricFamily(family.name, family.help, labels=family.labels)
                for values in family.series:
                    counter.add_metric(values, sum(self._numbers(family, values)))
                return counter
            case "gauge":
                return self._gauge(family, sum)
            case "oldest":
                return self._gauge(family, _longest_since)
            case "all up":
                return self._gauge(family, _all_up)
            case _:
                assert_never(family.kind)

    def _gauge(self, family: Family, together: Callable[[Sequence[float]], float | None]) -> Metric:
        gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels)
        for values in family.series:
            number = together(self._numbers(family, values))
            if number is not None:
                gauge.add_metric(values, number)
        return gauge

    def _numbers(self, family: Family, values: tuple[str, ...]) -> Sequence[float]:
        return [numbers[0] for numbers in self._cells.series(family, values)]

    def _histogram(self, family: Family) -> Metric:
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        buckets = len(family.bounds) + 1
        names = [*map(floatToGoString, family.bounds), "+Inf"]
        for values in family.series:
            added = [sum(numbers) for numbers in zip(*self._cells.series(family, values), strict=True)]
            # The count is that of the last bucket: it agrees with the others whenever this is read.
            counts = list(accumulate(added[1 : 1 + buckets]))
            exemplars = self._exemplars(family, values) if family.has_exemplars else [None] * buckets
            triples = zip(names, counts, exemplars, strict=True)
            told = [(name, count, exemplar) if exemplar else (name, count) for name, count, exemplar in triples]
            histogram.add_metric(values, told, added[0])
        return histogram

    def _exemplars(self, family: Family, values: tuple[str, ...]) -> list[Exemplar | None]:
        """The newest one of each bucket."""
        numbers, words = self._cells.series(family, values), self._cells.words(family, values)
        first, end = 1 + len(family.bounds) + 1, family.width
        found: list[Exemplar | None] = []
        for at in range(first, end, EXEMPLAR):
            newest = max(range(len(numbers)), key=lambda process: numbers[process][at + 3])
            moment = numbers[newest][at + 3]
            trace_id = f"{words[newest][at]:016x}{words[newest][at + 1]:016x}"
            found.append(Exemplar({"trace_id": trace_id}, numbers[newest][at + 2], moment) if moment else None)
        return found


def _longest_since(moments: Sequence[float]) -> float | None:
    known = [moment for moment in moments if moment]
    return time.monotonic() - min(known) if known else None


def _all_up(states: Sequence[float]) -> float | None:
    known = [state for state in states if state]
    return float(DOWN not in known) if known else None
