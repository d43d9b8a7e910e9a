"""`scripts/verify` holds through each documented proxy, below a path."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.deploy.proxies import BELOW, NAMES, is_here, running
from tests.support.server import LiveServer
from tests.verify.asking import PATIENCE_SECONDS, QUICK, command, environment

_HEARTBEAT_SECONDS = 0.3
_NO_PROXY = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}


@pytest.fixture(scope="module")
def verifying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """The verifier at all proxies of this machine at the same time, because it mostly waits."""
    with (
        LiveServer("simulator", trusted_proxies="127.0.0.1", heartbeat_seconds=_HEARTBEAT_SECONDS) as server,
        ExitStack() as stack,
    ):
        processes: dict[str, subprocess.Popen[str]] = {}
        for name in filter(is_here, NAMES):
            proxy = stack.enter_context(running(name, server.port))
            laws = [option for law in QUICK for option in ("--law", law)]
            options = ["--rate", "200", "--heartbeat", str(_HEARTBEAT_SECONDS), *laws]
            processes[name] = subprocess.Popen(
                command(f"{proxy.url}{BELOW}", *options),
                cwd=tmp_path_factory.mktemp(name),
                env=environment(**_NO_PROXY),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
            )
            stack.callback(_end, processes[name])
        yield processes


@pytest.mark.parametrize("name", NAMES)
def test_the_verifier_holds(name: str, verifying: dict[str, subprocess.Popen[str]]) -> None:
    """All laws but the one that takes as long as it is given."""
    if name not in verifying:
        pytest.skip(f"there is no {name} on this machine")
    printed, _ = verifying[name].communicate(timeout=PATIENCE_SECONDS)
    assert verifying[name].returncode == 0, printed
    assert "\nHOLDS: " in printed


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
