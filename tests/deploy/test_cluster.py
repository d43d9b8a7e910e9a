"""`scripts/cluster`: instances that are restarted in turn, or die, while clients use them."""

import os
import signal
import threading
from pathlib import Path

from tests.deploy.loading import cluster, load
from tests.deploy.proxies import is_here


def test_a_rolling_restart_is_seen_by_no_client_that_follows_the_documentation(tmp_path: Path) -> None:
    """No reply is lost and none doubled. An instance that dies is replaced, and in the end no process is left."""
    with cluster() as running:
        restarting = threading.Timer(2, running.signal, [signal.SIGHUP])
        restarting.start()
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
