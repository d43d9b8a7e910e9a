"""What the service's processes use: sampled from outside, and drawn over time."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Usage:
    """Of all watched processes together."""

    memory_mib: float
    """Memory that would be free without them (USS)."""
    descriptors: int
    threads: int
    cpu_percent: float
    """Of one core, since the sample before."""
    tasks: int | None
    """asyncio tasks, if the service is one of `scripts.loading.observed`."""
    database_mib: float | None
    """Of an SQLite database, with what waits in its log."""


class Watch:
    """Samples processes, and files beside them."""

    def __init__(self, pids: Sequence[int], database: Path | None = None, tasks: Path | None = None) -> None:
        """Raises `psutil.NoSuchProcess`."""
        self._processes = [psutil.Process(pid) for pid in pids]
        self._database = database
        self._tasks = tasks
        self.sample()  # from here on CPU time counts

    def sample(self) -> Usage | None:
        """`None` if nothing is watched, or left."""
        memory = cpu = 0.0
        descriptors = threads = alive = 0
        for process in self._processes:
            with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
                memory += process.memory_full_info().uss / MIB
                descriptors += process.num_fds()
                threads += process.num_threads()
                cpu += process.cpu_percent()
                alive += 1
        if not alive:
            return None
        tasks = int(self._tasks.read_text()) if self._tasks is not None and self._tasks.exists() else None
        return Usage(memory, descriptors, threads, cpu, tasks, size_mib(self._database))


def size_mib(database: Path | None) -> float | None:
    if database is None:
        return None
    files = (Path(f"{database}{suffix}") for suffix in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists()) / MIB
