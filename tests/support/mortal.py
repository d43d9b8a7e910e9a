"""`python -m tests.support.mortal`: the service without root's privilege to ignore file permissions.

Tests often run as root, for whom no file is read-only; a service should not.
"""

import ctypes
import os
import sys

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1

MORTAL = ("-m", "tests.support.mortal")
"""`LiveServer(program=MORTAL)`."""


def main() -> None:
    """Drop the privilege, and exec the service."""
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot give up the privilege")
    os.execv(sys.executable, [sys.executable, "-m", "app", *sys.argv[1:]])  # noqa: S606 - no shell needed


if __name__ == "__main__":
    main()
