"""What a process gets from whoever starts it: a working directory, and standard streams, which may be closed.

What is opened next would take the numbers of closed streams, so that a stray line could end up in the database's file.
"""

import os
import sys
from pathlib import Path

from app.chat.errors import CannotStart


def look_for_working_directory() -> None:
    """Raise `CannotStart` if it was deleted: relative paths, such as that of the database, would lead nowhere."""
    try:
        Path.cwd()
    except OSError:
        raise CannotStart("the working directory does not exist. Next: change to one that does") from None


def open_standard_streams() -> bool:
    """Open on the null device those that are closed. Returns whether standard output was open."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    had_output = sys.stdout is not None
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a number; it stays open
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    return had_output
