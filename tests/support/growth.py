"""Distinguishes linear from quadratic work, independent of other load on the machine."""

import gc
import time
from collections.abc import Callable

_FACTOR = 16


def assert_linear(work: Callable[[int], object], size: int) -> None:
    """Assert that 16 times the size costs less than 64 times the work: linear work costs 16 times, quadratic 256.

    Compares only this thread's CPU time, and the minimum of several runs, so that other processes do not count.
    """
    ratio = 0.0
    for _ in range(3):  # a disturbed measurement is repeated; quadratic work fails each time
        ratio = _cost(work, size * _FACTOR) / _cost(work, size)
        if ratio < 4 * _FACTOR:
            return
    raise AssertionError(f"{_FACTOR} times the size costs {ratio:.0f} times the work")


def _cost(work: Callable[[int], object], size: int) -> float:
    least = float("inf")
    gc.disable()
    try:
        for _ in range(3):
            started_at = time.thread_time()
            work(size)
            least = min(least, time.thread_time() - started_at)
    finally:
        gc.enable()
    return max(least, 1e-6)
