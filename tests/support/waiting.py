"""Waiting for what other threads and processes do."""

import time
from collections.abc import Callable

_PATIENCE_SECONDS = 60.0


def wait_until(is_so: Callable[[], object]) -> None:
    """Ask again until it is so. Raises `AssertionError`."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
