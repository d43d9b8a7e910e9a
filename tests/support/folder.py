"""A folder for what tests leave in files, of each process that runs tests one. It goes when the process does.

However that ends: killed, too, or as pytest-xdist ends its workers, which run nothing at exit. So a shell outlives the
process for a moment; it ends the PostgreSQL servers whose files are there, and removes all.
"""

import subprocess
import tempfile
import threading
from pathlib import Path

_SWEEP = """
read -r _
for mark in "$1"/*/postmaster.pid; do
  if [ -f "$mark" ]; then kill -QUIT "$(head -n 1 "$mark")"; fi
done
for _ in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf "$1" && break
  sleep 0.2
done
"""
_PATIENCE_SECONDS = 30.0


class _Folder:
    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="chat-tests-"))
        self._sweeper = subprocess.Popen(
            ["sh", "-c", _SWEEP, "sh", self.path],
            stdin=subprocess.PIPE,  # whose end is the end of this process
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
        )

    def remove(self) -> None:
        self._sweeper.communicate(timeout=_PATIENCE_SECONDS)


_made: list[_Folder] = []
_making = threading.Lock()


def folder() -> Path:
    """It is there from the first time on that somebody asks."""
    with _making:
        if not _made:
            _made.append(_Folder())
        return _made[0].path


def remove() -> None:
    """Remove it now, if it is there."""
    while _made:
        _made.pop().remove()
