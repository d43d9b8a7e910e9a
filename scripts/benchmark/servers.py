"""The servers under test: how each is started like its users start it, pinned to one core, measured and stopped."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from time import perf_counter

import psutil

from scripts.ports import free_port

from .dialects import CHAT, Dialect
from .transcript import WrongAnswer

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).parent / "peers"
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a process; `files` are created, by name, in its working directory."""

    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    credential: Sequence[str] = ()
    """A command that prints the credential for requests; it runs first, in the same directory."""


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    title: str
    launch: Callable[[int, int], Launch]
    """Takes the server's port, and that of its upstream or 0."""
    judged: bool
    """A target names it: it is measured in every round, the others only in the first."""
    dialect: Dialect = CHAT
    before: "Server | None" = None
    """The upstream of a gateway: an engine, which is started first."""
    with_load: bool = False
    """It stays on the load generator's core, and is not measured itself."""


@dataclass(frozen=True, slots=True)
class Running:
    """A started server; `family` is its process and all its descendants."""

    server: Server
    port: int
    family: list[psutil.Process]
    before: "Running | None"
    credential: str = ""

    @property
    def dialect(self) -> Dialect:
        return self.server.dialect

    def request(self, message: str) -> bytes:
        return self.dialect.request(self.port, message, self.credential)

    def cpu_seconds(self) -> float:
        times = [process.cpu_times() for process in self.family]
        return sum(time.user + time.system for time in times)

    def load_core_seconds(self) -> float:
        """CPU time that it or its upstream uses on the load generator's core."""
        if self.server.with_load:
            return self.cpu_seconds()
        return self.before.load_core_seconds() if self.before else 0.0

    def memory_bytes(self) -> int:
        """The memory unique to the processes (USS), which would be freed with them."""
        return sum(process.memory_full_info().uss for process in self.family)


def service(port: int, _: int) -> Launch:
    command = [sys.executable, "-m", "app", "--host", "127.0.0.1", "--port", str(port), "--bot", "simulator"]
    return Launch(command, {"CHAT_MAX_OPEN_STREAMS": "10000"})


def guarded(port: int, _: int) -> Launch:
    """With a key, and with limits that are never reached."""
    limits = {f"CHAT_{name}": "1000000000" for name in ("REQUESTS_PER_MINUTE", "STREAMS_PER_CLIENT", "WORDS_PER_DAY")}
    unguarded = service(port, 0)
    return replace(
        unguarded,
        environment={**unguarded.environment, **limits},
        credential=[sys.executable, "-m", "app", "keys", "create", "bench"],
    )


def python_peer(module: str) -> Callable[[int, int], Launch]:
    def launch(port: int, _: int) -> Launch:
        uvicorn = [sys.executable, "-m", "uvicorn", f"scripts.benchmark.peers.{module}:app"]
        bound = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        return Launch([*uvicorn, *bound, "--no-access-log", "--log-level", "warning", "--lifespan", "off"])

    return launch


def node_peer(port: int, _: int) -> Launch:
    return Launch(["node", str(PEERS / "node.mjs"), str(port)])


def servers() -> list[Server]:
    """Those that can run on this machine, in the order of the table. Node is optional."""
    node = [Server("node", "Node http", node_peer, judged=True)] if shutil.which("node") else []
    return [
        Server("service", "this service", service, judged=True),
        Server("guarded", "with keys and limits", guarded, judged=False),
        Server("bare", "bare ASGI", python_peer("bare"), judged=True),
        *node,
        Server("tutorial", "FastAPI tutorial", python_peer("tutorial"), judged=False),
        Server("sse-starlette", "sse-starlette", python_peer("library"), judged=False),
        Server("native", "FastAPI native SSE", python_peer("native"), judged=False),
    ]


@asynccontextmanager
async def started(server: Server) -> AsyncIterator[Running]:
    """A fresh process, ready for requests; killed at the end with its descendants."""
    async with AsyncExitStack() as stack:
        before = await stack.enter_async_context(started(server.before)) if server.before else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        port = free_port()
        output = folder / "output"
        launch = server.launch(port, before.port if before else 0)
        credential = shown(launch, folder) if launch.credential else ""
        with nullcontext() if server.with_load else server_core():
            process = start(launch, folder, output)
        try:
            await listening(port, process)
            root = psutil.Process(process.pid)
            yield Running(server, port, [root, *root.children(recursive=True)], before, credential)
        except (WrongAnswer, psutil.Error) as error:
            raise WrongAnswer(f"{error}{last_lines(output)}") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start(launch: Launch, folder: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start the process in a temporary folder, so that its data is deleted."""
    for name, content in launch.files.items():
        (folder / name).write_text(content, encoding="utf-8")
    with output.open("wb") as written:
        return subprocess.Popen(
            launch.command,
            cwd=folder,
            env=environment(launch),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def shown(launch: Launch, folder: Path) -> str:
    """The credential for the launch's requests."""
    done = subprocess.run(launch.credential, cwd=folder, env=environment(launch), capture_output=True, check=True)
    return done.stdout.decode().strip()


def environment(launch: Launch) -> Mapping[str, str]:
    """The environment without the user's own settings of the service."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
    return {**inherited, "PYTHONPATH": str(ROOT), **launch.environment}


async def listening(port: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for a server. Raises `WrongAnswer` if its process, if that is known, ends first."""
    deadline = perf_counter() + START_SECONDS
    while True:
        if process is not None and process.poll() is not None:
            raise WrongAnswer(f"ended with status {process.returncode} instead of serving")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if perf_counter() > deadline:
                raise WrongAnswer(f"not listening after {START_SECONDS} s") from None
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def last_lines(output: Path) -> str:
    lines = output.read_text(errors="replace").strip().splitlines()[-8:]
    return "".join(f"\n    | {line}" for line in lines)


@cache
def cores() -> tuple[int, int] | None:
    """One core for the load generator, one for the server; `None` if the system cannot pin or has only one core.

    The first and the last: in all common numberings these are not two threads of one core. Cached before pinning.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[-1]) if len(usable) > 1 else None


def pin_load_generator() -> None:
    pair = cores()
    if pair:
        os.sched_setaffinity(0, {pair[0]})


@contextmanager
def server_core() -> Iterator[None]:
    """A process started inside inherits the server's core, from the start and for all its threads."""
    pair = cores()
    if pair:
        os.sched_setaffinity(0, {pair[1]})
    try:
        yield
    finally:
        pin_load_generator()
