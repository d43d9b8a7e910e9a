"""Runs `python -m app`, and writes the number of its asyncio tasks to a file every few seconds.

The only thing that cannot be seen from outside. `python -m scripts.loading.observed FILE ARGUMENT ...`
"""

import asyncio
import runpy
import signal
import sys
from pathlib import Path

EVERY_SECONDS = 5.0


def main() -> None:
    file, *arguments = sys.argv[1:]

    def count(_: int, __: object) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # it has not begun, or has ended
            return
        Path(file).write_text(str(len(asyncio.all_tasks(loop))))

    signal.signal(signal.SIGALRM, count)
    signal.setitimer(signal.ITIMER_REAL, EVERY_SECONDS, EVERY_SECONDS)
    sys.argv = ["app", *arguments]
    runpy.run_module("app", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
