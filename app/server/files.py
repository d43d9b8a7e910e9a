"""The process's limit on open files: each stream is a socket."""

import logging
import sys

if sys.platform != "win32":
    import resource

_logger = logging.getLogger(__name__)

_FILES_BESIDES = 256
"""Open files other than streams: listening sockets, idle connections, the database, logs."""


def allow_files(streams: int) -> None:
    """Raise the process's limit on open files to what this many streams need, as far as the system allows."""
    if sys.platform == "win32":
        return
    wanted = streams + _FILES_BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < streams + _FILES_BESIDES:
        _logger.warning("the limit on open files (%d) is too low for %d open streams; raise ulimit -n", wanted, streams)
