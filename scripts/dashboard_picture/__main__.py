"""Starts everything, waits, and draws."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from scripts.dashboard_picture.drawing import Drawn, draw
from scripts.dashboard_picture.load import READERS, readers
from scripts.dashboard_picture.panels import DASHBOARD, Points, data, panels
from tests.support.completions import speaks
from tests.support.databases import fresh_database_url, remove_all
from tests.support.engine import FakeEngine, engine_beside
from tests.support.scraping import metrics_port
from tests.support.server import LiveServer
from tests.support.valkey import Valkey

PICTURE = DASHBOARD.with_suffix(".svg")
_SECONDS = 150
_SETTINGS = {
    "lease_seconds": 2,
    "metrics_port": 0,
    "log_level": "info",
    "resume_window_seconds": 1,
    "stalled_seconds": 1,
    "max_reply_characters": 10_000_000,
    "start_seconds": 90,
}


def main() -> int:
    """Draw. Returns 1 if a panel has no data."""
    program = os.environ.get("PROMETHEUS") or shutil.which("prometheus")
    if program is None:
        print("there is no prometheus. Next: apt install prometheus, or PROMETHEUS=/path/to/it", file=sys.stderr)
        return 2
    try:
        with ExitStack() as stack:
            return _drawn(program, stack)
    finally:
        remove_all()


def _drawn(program: str, stack: ExitStack) -> int:
    database = fresh_database_url("postgresql")
    valkey = stack.enter_context(Valkey())
    shared = {"database_url": database, "valkey_url": valkey.url, **_SETTINGS}
    server = stack.enter_context(LiveServer(workers=2, **shared))  # type: ignore[arg-type]  # settings of any type
    engine = FakeEngine(speaks("Hi ", "there, ", "how ", "are ", "you?"))
    stack.enter_context(engine_beside(engine))
    asking = {"openai_base_url": engine.url, "openai_model": "m", **shared}
    other = stack.enter_context(LiveServer("openai", **asking))  # type: ignore[arg-type]  # as above
    prometheus = stack.enter_context(_prometheus(program, [metrics_port(server), metrics_port(other)]))
    begin = time.time()
    asyncio.run(_load(server, other))
    end = time.time()
    drawn: list[Drawn] = []
    for panel in panels(json.loads(DASHBOARD.read_text("utf-8"))):
        series: dict[str, Points] = {}
        for target in panel.targets:
            series |= data(prometheus, target, begin, end)
        drawn.append((panel, series))
    empty = [panel.title for panel, series in drawn if not any(series.values())]
    subtitle = f"Two workers, of which one is killed, and an instance with an engine; {READERS} readers; {_SECONDS} s"
    PICTURE.write_text(draw(drawn, begin, end, subtitle), "utf-8")
    print(PICTURE, file=sys.stderr)
    for title in empty:
        print(f"{title}: there is no data", file=sys.stderr)
    return 1 if empty else 0


async def _load(server: LiveServer, other: LiveServer) -> None:
    over = asyncio.Event()
    task = asyncio.create_task(readers(server.url, over, other.url))
    await asyncio.sleep(_SECONDS / 2)
    line = server.wait_for_log(lambda line: "running on" in line)
    psutil.Process(json.loads(line)["workers"][0]).kill()
    await asyncio.sleep(_SECONDS / 2)
    over.set()
    await task


@contextmanager
def _prometheus(program: str, ports: Sequence[int]) -> Iterator[str]:
    """A server that scrapes these ports every second. Gives its address."""
    with tempfile.TemporaryDirectory() as folder:
        targets = [f"127.0.0.1:{port}" for port in ports]
        scrape = {"job_name": "chat", "static_configs": [{"targets": targets}]}
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
        file = Path(folder) / "prometheus.json"
        file.write_text(json.dumps(config), "utf-8")  # JSON is YAML
        address = f"127.0.0.1:{ports[0] + 1}"
        options = [f"--config.file={file}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"]
        with subprocess.Popen([program, *options], stderr=subprocess.DEVNULL) as process:
            try:
                _wait_for(f"http://{address}/-/ready", process)
                yield f"http://{address}"
            finally:
                process.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url):  # noqa: S310 - ours
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("prometheus has ended")


if __name__ == "__main__":
    sys.exit(main())
