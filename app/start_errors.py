"""How an operator is told what keeps the service, or a command, from starting: one line for each problem.

Status 2 says that settings or arguments have to be changed first; 3, that the same command may work later.
"""

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Callable

from pydantic import ValidationError

from app.chat.errors import BotNotConfigured, CannotStart, StorageUnavailable
from app.environment.variables import PREFIX

_INTERRUPTED = 130
"""As shells have it: 128, and the number of SIGINT."""


def lines(error: BaseException) -> list[str]:  # noqa: PLR0911 - a kind each
    """One for each problem. Of an error that nobody foresaw, only the kind: its text may hold a secret."""
    match error:
        case ValidationError():
            details = error.errors(include_url=False, include_input=False)
            return [f"{detail['loc'][0]}: {detail['msg']}" if detail["loc"][0] else detail["msg"] for detail in details]
        case BotNotConfigured():
            return [f"{PREFIX}BOT: {_line(error)}"]
        case CannotStart():
            return [_line(error)]
        case StorageUnavailable():
            return [f"{PREFIX}DATABASE_URL: the database does not answer any more. Next: see its log, and try again"]
        case BaseExceptionGroup():
            return [line for part in error.exceptions for line in lines(part)]
        case OSError() if error.strerror:
            where = f" ({error.filename})" if isinstance(error.filename, str) else ""
            return [f"{error.strerror}{where}. Next: check the path and its permissions; {_SHOW_WHERE}"]
        case _:
            return [f"{type(error).__qualname__} was raised. Next: report this as a defect; {_SHOW_WHERE}"]


_SHOW_WHERE = f"{PREFIX}LOG_LEVEL=debug shows where it was raised"


def exit_status(error: BaseException) -> int:
    """2 or 3."""
    match error:
        case ValidationError():
            return 2
        case CannotStart():
            return error.exit_status
        case BaseExceptionGroup():
            return min(map(exit_status, error.exceptions))
        case _:
            return 3


def told(work: Callable[[], int]) -> int:
    """Do the work. Returns its exit status; for an error, prints its lines and returns theirs."""
    try:
        status = work()
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read the output, such as `head`, has gone
        _drop_output()
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        _drop_output()
        tell(error)
        return exit_status(error)
    return status


def tell(error: BaseException) -> None:
    """Print its lines on standard error, and at the level `debug` where it was raised."""
    for line in lines(error):
        print(line, file=sys.stderr)
    show_where(error)


def show_where(error: BaseException) -> None:
    """Print, at the level `debug`, where it was raised."""
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        cause = error.__cause__ or error
        print("".join(traceback.format_tb(cause.__traceback__)), end="", file=sys.stderr)


def _drop_output() -> None:
    """What is still in the buffer cannot be written, or is half of something. Python would try it again at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
