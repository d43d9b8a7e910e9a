"""`python -m tests.support.mortal`: the service without root's privilege to write where nobody may.

Tests often run as root, to whom no file is read-only; a service should not.
"""

import ctypes
import os
import sys

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1

MORTAL = ("-m", "tests.support.mortal")
"""`LiveServer(program=MORTAL)`."""


def main() -> None:
    """Give up the privilege for good, and become the service."""
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot give up the privilege")
    os.execv(sys.executable, [sys.executable, "-m", "app", *sys.argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
