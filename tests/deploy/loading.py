"""Runs `scripts/load` and `scripts/cluster` without their set-up."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from scripts.ports import free_port
from tests.deploy.proxies import SYSTEM, is_here

ROOT = Path(__file__).parent.parent.parent
PATIENCE_SECONDS = 240.0
_ENVIRONMENT = os.environ | {
    "PATH": SYSTEM,
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "scripts" / "verification")]),
    "no_proxy": "127.0.0.1",
}


def load(folder: Path, *arguments: str) -> tuple[int, str, Any]:
    """Run it to its end: its exit status, what it printed, and its figures, if there are any."""
    figures = folder / "load.json"
    output = ["--json", str(figures), "--chart", str(folder / "load.svg")]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scripts.loading", *arguments, *output],
        cwd=folder,
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, json.loads(figures.read_text("utf-8")) if figures.exists() else None


class Cluster:
    """A running one."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """`process` has just been started."""
        self._process = process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._reader.start()
        self.wait_for("the service is running on")
        self.addresses = re.findall(r"chat\d \(process \d+\) is at (http://127\.0\.0\.1:\d+)", "".join(self._lines))
        """The instances'."""
        (self.address,) = re.findall(r"running on (http://127\.0\.0\.1:\d+)/", "".join(self._lines))
        """Caddy's, or that of the first instance."""
        self.family = psutil.Process(process.pid).children(recursive=True)

    def pid(self, name: str) -> int:
        """The instance's, at the moment."""
        with self._news:
            return int(re.findall(rf"{name} \(process (\d+)\)", "".join(self._lines))[-1])

    def signal(self, number: signal.Signals) -> None:
        """Signal the script."""
        self._process.send_signal(number)

    def wait_for(self, text: str) -> None:
        """Until it has printed that. Raises `AssertionError` with all that it has printed."""
        with self._news:
            assert self._news.wait_for(lambda: any(text in line for line in self._lines), PATIENCE_SECONDS), self._lines

    def ended(self) -> int:
        """Its exit status."""
        return self._process.wait(PATIENCE_SECONDS)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """One with the simulator. Leaves no process behind."""
    options = ["--port", str(free_port()), *([] if is_here("caddy") else ["--no-proxy"])]
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.clustering", *options],
        cwd=ROOT,
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        try:
            yield Cluster(process)
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
