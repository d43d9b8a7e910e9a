"""What this machine offers to a local model. Where that cannot be determined, the answer is optimistic."""

import os
import platform
import re
from pathlib import Path


def has_avx2() -> bool:
    """Whether an x86 processor has AVX2, which llama.cpp is compiled for; true on other architectures."""
    if platform.machine() not in {"x86_64", "AMD64"}:
        return True
    flags = _read("/proc/cpuinfo")
    return not flags or re.search(r"^flags\s*:.*\bavx2\b", flags, re.MULTILINE) is not None


def free_bytes() -> int | None:
    """The free memory of the machine or its container; `None` if unknown."""
    match = re.search(r"^MemAvailable:\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    free = [int(match[1]) * 1024] if match else []
    most, used = (_read(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    if most.isdigit() and used.isdigit():
        free.append(int(most) - int(used))
    return min(free, default=None)


def threads() -> int:
    """All processors but one, which is left to the service."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, count - 1)


def resident_bytes(pid: int) -> int:
    """A process's resident memory; 0 if unknown."""
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
