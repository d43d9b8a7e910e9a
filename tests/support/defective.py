"""`python -m tests.support.defective`: the service with a defect in the workers' parent, which fails when one dies.

For closing, it waits half a second on top of the drain.
"""

import sys

from app.command import main
from app.workers import supervisor
from app.workers.counting import SharedMetrics

DEFECTIVE = ("-m", "tests.support.defective")
"""`LiveServer(program=DEFECTIVE)`."""


def _fail(self: SharedMetrics, worker: int) -> None:
    raise LookupError(self, worker)


if __name__ == "__main__":
    supervisor._GRACE_SECONDS = 0.5  # noqa: SLF001 - there is no setting for it
    SharedMetrics.forget_present = _fail  # type: ignore[method-assign]  # the defect
    sys.exit(main())
