"""Reads metrics as Prometheus does: series by name and labels, with their values."""

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support.asgi import Client
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, get

Series = Mapping[str, float]
"""`name{label="value",...}`, with the labels in alphabetical order."""


def series(text: str) -> Series:
    """All series of a response in Prometheus' text format."""
    return _named(parse_text(text))


def openmetrics_series(text: str) -> Series:
    """All series of a response in OpenMetrics' format."""
    return _named(parse_openmetrics(text))  # type: ignore[no-untyped-call]  # the library has no types


async def scraped(client: Client) -> Series:
    """All series of an application."""
    answer = await client.request("GET", "/metrics")
    if answer.status != 200:
        raise AssertionError(f"{answer.status}: {answer.content!r}")
    return series(answer.content.decode())


def grown(before: Series, after: Series) -> Counter[str]:
    """By how much series have grown; those that are as they were are left out."""
    return Counter({name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)})


def _named(families: object) -> Series:
    found: dict[str, float] = {}
    for family in families:  # type: ignore[attr-defined]  # as above
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


_PLACE = re.compile(r"metrics are on http://[^ ]+:([0-9]+)/metrics")


def metrics_port(server: LiveServer) -> int:
    """The port of a server's own listener for metrics."""
    match = _PLACE.search(server.wait_for_log(lambda line: _PLACE.search(line) is not None))
    assert match
    return int(match[1])


def answer_at(port: int, headers: Mapping[str, str] | None = None) -> Answer:
    """What `GET /metrics` gets there."""
    with Wire(port) as wire:
        wire.send(get("/metrics", headers))
        return wire.answer()


def scraped_at(port: int) -> Series:
    """All series there."""
    answer = answer_at(port)
    if answer.status != 200:
        raise AssertionError(f"{answer.status}: {answer.body!r}")
    return series(answer.body.decode())


def wait_for(port: int, wanted: Callable[[Series], bool], seconds: float = 30) -> Series:
    """The first scrape that is as `wanted`. Raises `AssertionError` with the last one."""
    deadline = time.monotonic() + seconds
    while not wanted(found := scraped_at(port)):
        if time.monotonic() > deadline:
            raise AssertionError({name: value for name, value in found.items() if value and "_bucket" not in name})
        time.sleep(0.05)
    return found
