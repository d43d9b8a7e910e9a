"""The laws as test items, for users of pytest."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.support.server import LiveServer
from tests.verify.asking import PATIENCE_SECONDS, environment
from tests.verify.faults import CASES
from tests.verify.proxy import FaultyProxy

_COMMAND = (sys.executable, "-P", "-m", "pytest", "-p", "chat_verify.plugin", "-p", "no:cacheprovider", "-v", "-rs")
_OWN = "def test_of_their_own():\n    pass\n"


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it like a user who has installed the package; here it is not installed, so the plugin is named."""
    (folder / "test_theirs.py").write_text(_OWN, "utf-8")
    fast = ("--chat-verify-rate", "200", "--chat-verify-heartbeat", "0.3", "--chat-verify-seed", "1")
    return subprocess.run(
        [*_COMMAND, *fast, *arguments],
        cwd=folder,
        env=environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_each_law_is_an_item(tmp_path: Path) -> None:
    """Next to existing tests; one that cannot be seen is skipped with the reason."""
    with LiveServer("simulator", heartbeat_seconds=0.3) as server:
        done = _pytest(tmp_path, "--chat-verify-url", server.url, "-k", "theirs or head or statuses or access")
    assert done.returncode == 0, done.stdout
    for line in ("test_theirs.py::test_of_their_own PASSED", "chat-verify::head PASSED", "chat-verify::access SKIPPED"):
        assert line in done.stdout
    assert "no key was given" in done.stdout
    assert "3 passed, 1 skipped" in done.stdout


async def test_a_broken_law_fails_with_its_account(tmp_path: Path) -> None:
    """The same report as the command's, without a traceback."""
    with LiveServer("simulator") as server:
        async with FaultyProxy(server.port, CASES["HEAD is answered with a body"].fault) as proxy:
            done = await asyncio.to_thread(_pytest, tmp_path, "--chat-verify-url", proxy.url, "-k", "head")
    assert done.returncode == 1, done.stdout
    assert "chat-verify::head FAILED" in done.stdout
    assert "sent:     HEAD /api/health" in done.stdout
    assert "Traceback" not in done.stdout


def test_nobody_to_judge_is_an_error(tmp_path: Path) -> None:
    """And not a failure of the law."""
    done = _pytest(tmp_path, "--chat-verify-url", "http://127.0.0.1:9", "-k", "head")
    assert "chat-verify::head ERROR" in done.stdout
    assert "nothing listens there" in done.stdout
