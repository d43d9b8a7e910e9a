"""`python -m tests.support.poor`: the service on a machine that gives it, and each process that it starts, 4 GB."""

import os
import resource
import sys

_BYTES = 4 * 2**30

POOR = ("-m", "tests.support.poor")
"""`LiveServer(program=POOR)`."""


def main() -> None:
    """Take the limit for good, and become the service."""
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    os.execv(sys.executable, [sys.executable, "-m", "app", *sys.argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
