"""`python -m tests.support.ahead`: the service on a machine whose clock is five minutes ahead."""

import sys
import time

from app.command import main

AHEAD = ("-m", "tests.support.ahead")
"""`LiveServer(program=AHEAD)`."""

_SECONDS = 300


def _set_clock() -> None:
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + _SECONDS
    time.time_ns = lambda: nanoseconds() + _SECONDS * 1_000_000_000


if __name__ == "__main__":
    _set_clock()
    sys.exit(main())
