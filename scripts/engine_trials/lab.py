"""One engine that runs, and the service in front of it with whatever settings a trial wants."""

import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.ports import free_port

from .catalogue import ENGINES, KEY, Engine
from .environments import HERE, gguf, installed, safetensors
from .process import Launch, Program, clean_environment
from .service import serving
from .talk import Client

SHORT_TOKENS = 40
LONG_TOKENS = 900
"""Fits into the context with some history."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lab:
    """What a trial is given."""

    engine: Engine
    program: Program
    """The engine's process, or the proxy's."""
    upstream: Program | None
    """What the proxy stands in front of."""
    model: str
    """As the engine wants it to be named; empty if it takes what it lists."""
    report: Report
    stack: AsyncExitStack
    """What ends with the engine."""
    services: dict[str, Client] = field(default_factory=dict)
    """Those that run, by their settings."""

    @property
    def base_url(self) -> str:
        return f"{self.program.url}/v1"

    @property
    def key(self) -> str | None:
        return KEY if self.engine.has_key else None

    @property
    def worker(self) -> Program:
        """Who does the work: behind a proxy, the engine."""
        return self.upstream or self.program

    async def service(self, **settings: object) -> Client:
        """A client of the service; `settings` are named without the prefix, in small letters.

        A service with the same settings is shared: to start one costs more than most trials do.
        """
        own: dict[str, object] = {"OPENAI_MODEL": self.model or None, "OPENAI_API_KEY": self.key}
        told = own | {name.upper(): value for name, value in settings.items()}
        which = json.dumps(told, sort_keys=True)
        if which not in self.services:
            self.services[which] = await self.stack.enter_async_context(serving(self.base_url, told))
        return self.services[which]

    async def ordinary_service(self) -> Client:
        """One whose replies are short, and the same each time."""
        return await self.service(temperature=0, max_tokens=SHORT_TOKENS)

    async def lengthy_service(self) -> Client:
        """One whose replies are long, and which says soon that it has begun one."""
        return await self.service(max_tokens=LONG_TOKENS, first_word_seconds=0.2)


@asynccontextmanager
async def laboratory(engine: Engine, report: Report) -> AsyncIterator[Lab]:
    """Installs what is missing, starts the engine, and what it stands in front of. Raises `TrialFailed`."""
    folder = Path(tempfile.mkdtemp(prefix="engines-"))
    upstream: Program | None = None
    program: Program | None = None
    try:
        if engine.behind:
            upstream = _program(ENGINES[engine.behind], folder, "", report)
            await _start(upstream, report)
        program = _program(engine, folder, f"{upstream.url}/v1" if upstream else "", report)
        await _start(program, report)
        model = _filled(engine.settings.get("OPENAI_MODEL", ""), _values(engine, 0, "", report))
        async with AsyncExitStack() as stack:
            yield Lab(engine, program, upstream, model, report, stack)
    finally:
        for started in (program, upstream):
            if started is not None:
                started.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def _start(program: Program, report: Report) -> None:
    report("starts")
    await program.start(report)
    await program.learn_idle()


def _program(engine: Engine, folder: Path, upstream: str, report: Report) -> Program:
    port = free_port()
    values = _values(engine, port, upstream, report)
    command = [_filled(part, values) for part in (*engine.command, *engine.limits, *engine.key_option)]
    environment = clean_environment()
    environment |= {name: _filled(value, values) for name, value in engine.environment.items()}
    environment["PATH"] = f"{values['bin']}:{environment['PATH']}"
    launch = Launch(
        command=command,
        environment=environment,
        port=port,
        ready_path=engine.ready_path,
        start_seconds=engine.start_seconds,
        log=folder / f"{engine.name}.log",
    )
    return Program(launch)


def _values(engine: Engine, port: int, upstream: str, report: Report) -> Mapping[str, str]:
    place = installed(engine, report)
    parts = " ".join([*engine.command, *engine.settings.values()])
    return {
        "bin": str(place / "bin"),
        "here": str(HERE),
        "port": str(port),
        "upstream": upstream,
        "gguf": str(gguf(report)) if "{gguf}" in parts else "",
        "folder": str(safetensors(report)) if "{folder}" in parts else "",
    }


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text
