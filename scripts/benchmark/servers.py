"""The servers under test: how each is started as its users start it, kept on one core, measured and stopped."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter

import psutil

from .transcript import WrongAnswer

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).parent / "peers"
START_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    title: str
    command: Callable[[int], list[str]]
    judged: bool  # a target names it: measured in every round, the others in the first


@dataclass(frozen=True, slots=True)
class Running:
    """A started server; `family` is its process and the processes that it has started."""

    port: int
    family: list[psutil.Process]

    def cpu_seconds(self) -> float:
        times = [process.cpu_times() for process in self.family]
        return sum(time.user + time.system for time in times)

    def memory_bytes(self) -> int:
        """What the processes hold for themselves alone (USS): what would be free again without them."""
        return sum(process.memory_full_info().uss for process in self.family)


def service(port: int) -> list[str]:
    return [sys.executable, "-m", "app", "--host", "127.0.0.1", "--port", str(port), "--bot", "simulator"]


def python_peer(module: str) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        uvicorn = [sys.executable, "-m", "uvicorn", f"scripts.benchmark.peers.{module}:app"]
        bound = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        return [*uvicorn, *bound, "--no-access-log", "--log-level", "warning", "--lifespan", "off"]

    return command


def node_peer(port: int) -> list[str]:
    return ["node", str(PEERS / "node.mjs"), str(port)]


def servers() -> list[Server]:
    """Those that can run here, in the order of the table. Node is not a dependency of the project."""
    node = [Server("node", "Node http", node_peer, judged=True)] if shutil.which("node") else []
    return [
        Server("service", "this service", service, judged=True),
        Server("bare", "bare ASGI", python_peer("bare"), judged=True),
        *node,
        Server("tutorial", "FastAPI tutorial", python_peer("tutorial"), judged=False),
        Server("sse-starlette", "sse-starlette", python_peer("library"), judged=False),
        Server("native", "FastAPI native SSE", python_peer("native"), judged=False),
    ]


@asynccontextmanager
async def started(server: Server) -> AsyncIterator[Running]:
    """A fresh process, ready to answer; killed at the end, with all that it has started."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        port = free_port()
        output = Path(folder) / "output"
        process = launch(server.command(port), output)
        try:
            await answers(process, port)
            root = psutil.Process(process.pid)
            yield Running(port, [root, *root.children(recursive=True)])
        except (WrongAnswer, psutil.Error) as error:
            raise WrongAnswer(f"{error}{last_lines(output)}") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def launch(command: list[str], output: Path) -> subprocess.Popen[bytes]:
    """Defaults on: no setting of whoever runs this reaches the service, whose data stay in a folder that goes."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
    with server_core(), output.open("wb") as written:
        return subprocess.Popen(
            command,
            cwd=output.parent,
            env=inherited | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


async def answers(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = perf_counter() + START_SECONDS
    while True:
        if process.poll() is not None:
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@cache
def cores() -> tuple[int, int] | None:
    """One core for the load generator, another for the server; None where the system cannot pin or has but one.

    The first and the last: on all common numberings these are not two threads of one core. Asked once, before pinning.
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
    """A process started within inherits the server's core, from its first instruction and for all its threads."""
    pair = cores()
    if pair:
        os.sched_setaffinity(0, {pair[1]})
    try:
        yield
    finally:
        pin_load_generator()
