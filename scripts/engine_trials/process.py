"""A program as a process: started, ready, how much of the processor it takes, killed with all that it has started."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import httpx
import psutil

from .outcome import TrialFailed

ROOT = Path(__file__).resolve().parents[2]

_POLL_SECONDS = 0.25
_WINDOW_SECONDS = 0.5
_BUSY_CORES = 0.25
"""So much of one core, above what it takes when nobody asks anything, is work."""

_BUSY_WHEN_IDLE_CORES = 0.7
_TAIL_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a process."""

    command: Sequence[str]
    environment: Mapping[str, str]
    port: int
    ready_path: str
    """It is ready when this answers 200."""
    start_seconds: float
    log: Path
    """Where all goes that it says."""


class Program:
    """One process and its children. Starts and ends as often as it is told to."""

    def __init__(self, launch: Launch) -> None:
        """Nothing runs yet."""
        self._launch = launch
        self._process: subprocess.Popen[bytes] | None = None
        self._idle_cores = 0.0

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self._launch.port}"

    async def start(self, report: Callable[[str], None]) -> None:
        """Returns when it is ready. Raises `TrialFailed` with the last it said."""
        process = self._process = self._spawned()
        begin = told = perf_counter()
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                if process.poll() is not None:
                    raise TrialFailed(f"it ended with {process.returncode} instead of serving\n{self.tail()}")
                with suppress(httpx.HTTPError):
                    if (await client.get(self.url + self._launch.ready_path)).is_success:
                        return
                now = perf_counter()
                if now > begin + self._launch.start_seconds:
                    raise TrialFailed(f"it is not ready after {self._launch.start_seconds:g} s\n{self.tail()}")
                if now > told + 10:
                    told = now
                    report(f"starts, {now - begin:.0f} s")
                await asyncio.sleep(_POLL_SECONDS)

    @property
    def ended(self) -> str:
        """By what signal or with what status it has ended by itself; nothing if it runs, or was killed."""
        status = self._process.poll() if self._process else None
        if status is None:
            return ""
        return signal.Signals(-status).name if status < 0 else f"status {status}"

    def kill(self) -> None:
        """At once, and all that it has started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def tail(self) -> str:
        """The last lines of what it said."""
        lines = self._launch.log.read_text("utf-8", "replace").splitlines() if self._launch.log.exists() else []
        return "\n".join(f"    | {line}" for line in lines[-_TAIL_LINES:])

    async def learn_idle(self) -> None:
        """How much of the processor it takes while nobody asks anything."""
        self._idle_cores = await self._cores(2.0)

    async def seconds_until_idle(self, most_seconds: float) -> float | None:
        """How long it goes on working from now; `None` if that is longer than `most_seconds`.

        Raises `TrialFailed` if it cannot be told, as it is never idle.
        """
        if self._idle_cores > _BUSY_WHEN_IDLE_CORES:
            raise TrialFailed("never idle, so not measured")
        begin = perf_counter()
        while (now := perf_counter()) < begin + most_seconds:
            if await self._cores(_WINDOW_SECONDS) < self._idle_cores + _BUSY_CORES:
                return now - begin
        return None

    def _spawned(self) -> subprocess.Popen[bytes]:
        with self._launch.log.open("ab") as output:
            return subprocess.Popen(
                self._launch.command,
                cwd=ROOT,
                env=self._launch.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def _cores(self, seconds: float) -> float:
        """Processors that it takes, on average from now on for so long."""
        before, begin = self._cpu_seconds(), perf_counter()
        await asyncio.sleep(seconds)
        return (self._cpu_seconds() - before) / (perf_counter() - begin)

    def _cpu_seconds(self) -> float:
        if self._process is None:
            return 0.0
        total = 0.0
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            for process in [root, *root.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    total += times.user + times.system
        return total


def clean_environment() -> dict[str, str]:
    """No setting of whoever runs this reaches the service; no engine asks a hub, or takes two cores."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("CHAT_")}
    return inherited | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
