"""`scripts/cluster`: instances that are restarted in turn, or die, while clients use them."""

import os
import signal
import threading
import time
from pathlib import Path

import httpx

from tests.deploy.loading import Cluster, cluster, load
from tests.deploy.proxies import is_here


def _restart_when_it_is_used(running: Cluster) -> None:
    while not httpx.get(f"{running.addresses[0]}/api/conversations", trust_env=False).json()["conversations"]:
        time.sleep(0.2)
    running.signal(signal.SIGHUP)


def test_a_rolling_restart_is_seen_by_no_client_that_follows_the_documentation(tmp_path: Path) -> None:
    """No reply is lost and none doubled. An instance that dies is replaced, and in the end no process is left."""
    with cluster() as running:
        threading.Thread(target=_restart_when_it_is_used, args=[running], daemon=True).start()
        addresses = [running.address] if is_here("caddy") else running.addresses
        status, said, figures = load(
            tmp_path,
            *addresses,
            "--streams",
            "8",
            "--seconds",
            "12",
            "--pace-ms",
            "50",
            "--words",
            "30",
            "--every",
            "2",
        )
        running.wait_for("restarted")
        assert status == 0, said
        assert figures["errors"] == {}
        assert sum(figures["ended"].values()) > 8
        os.kill(running.pid("chat1"), signal.SIGKILL)
        running.wait_for("chat1 has died, and is started again")
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        assert running.family
        assert not any(process.is_running() for process in running.family)
