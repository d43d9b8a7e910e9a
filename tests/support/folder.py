"""A temporary folder for the files of tests, one per test process. It is removed when the process ends.

This also works when the process is killed, or ended by pytest-xdist, whose workers run no exit handlers: a shell
outlives the process for a moment, stops the servers with files in the folder, and removes it.
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
for mark in "$1"/*/valkey.pid "$1"/*/server.pid; do
  if [ -f "$mark" ]; then kill -KILL "$(head -n 1 "$mark")"; fi
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
            stdin=subprocess.PIPE,  # closed when this process ends
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must not reach it
        )

    def remove(self) -> None:
        self._sweeper.communicate(timeout=_PATIENCE_SECONDS)


_made: list[_Folder] = []
_making = threading.Lock()


def folder() -> Path:
    """The folder, created at the first call."""
    with _making:
        if not _made:
            _made.append(_Folder())
        return _made[0].path


def remove() -> None:
    """Remove the folder now, if it exists."""
    while _made:
        _made.pop().remove()
