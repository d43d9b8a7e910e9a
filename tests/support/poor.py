"""`python -m tests.support.poor`: the service with a memory limit of 4 GB for it and each process that it starts."""

import os
import resource
import sys

_BYTES = 4 * 2**30

POOR = ("-m", "tests.support.poor")
"""`LiveServer(program=POOR)`."""


def main() -> None:
    """Set the limit, and exec the service."""
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    os.execv(sys.executable, [sys.executable, "-m", "app", *sys.argv[1:]])  # noqa: S606 - no shell needed


if __name__ == "__main__":
    main()
