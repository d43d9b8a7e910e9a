"""Another commit of this service, built aside, so that both are measured in the same run.

It gets a folder and an environment of its own below `build/against`, which are kept: commits do not change.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .servers import ROOT, Launch, Server

EARLIER = "before"
_PLACE = ROOT / "build" / "against"


class UnknownCommit(Exception):
    """The text says what is wrong and what to do."""


def built(revision: str, say: Callable[[str], None]) -> Path:
    """The folder of a commit of this repository, with its `.venv`. Raises `UnknownCommit`."""
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    if not commit:
        raise UnknownCommit(
            f"{revision} is not a commit that this clone has. Next: git log --oneline, or git fetch --unshallow"
        )
    folder = _PLACE / commit[:12]
    if (folder / ".venv").is_dir():
        return folder
    say(f"building {commit[:12]} in {folder}")
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", unfinished], input=_git("archive", commit), check=True)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)  # before the environment is made: that cannot be moved
    subprocess.run([folder / "scripts" / "setup"], check=True)
    return folder


def with_earlier(servers: Sequence[Server], folder: Path) -> list[Server]:
    """The servers, and that commit's service directly after this one."""
    place = next((number for number, server in enumerate(servers, 1) if server.name == "service"), None)
    if place is None:
        return list(servers)
    ours = servers[place - 1]

    def launch(port: int, upstream: int) -> Launch:
        launched = ours.launch(port, upstream)
        python = folder / ".venv" / "bin" / "python"
        command = [str(python) if part == sys.executable else part for part in launched.command]
        return replace(launched, command=command, environment={**launched.environment, "PYTHONPATH": str(folder)})

    earlier = replace(ours, name=EARLIER, title=f"commit {folder.name[:7]}", launch=launch)
    return [*servers[:place], earlier, *servers[place:]]


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=False).stdout
