"""`python -m app.workers DESCRIPTOR`: a worker, which `python -m app --workers N` starts."""

import signal
import sys

from app import garbage


def main() -> int:
    """Serve until the parent says so, or ends. Returns the exit status."""
    if sys.argv[1:2] and sys.argv[1].isdecimal():
        # Until it serves, only the parent ends it: it is told of the same signal, and would count two.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        with garbage.imports():
            from app.workers.worker import work  # noqa: PLC0415 - it takes a second

        return work(int(sys.argv[1]))
    sys.stderr.write("A worker is not started by hand. Next: python -m app --workers N\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
