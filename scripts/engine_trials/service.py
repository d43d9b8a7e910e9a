"""The service under trial: `python -m app --bot openai` on a free port, with a database that goes with it."""

import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.ports import free_port

from .process import Launch, Program, clean_environment
from .talk import Client

_START_SECONDS = 60


@asynccontextmanager
async def serving(engine_url: str, settings: dict[str, object]) -> AsyncIterator[Client]:
    """A client of a service with these settings, named without the prefix. A setting that is `None` is not set."""
    with tempfile.TemporaryDirectory(prefix="engine-trial-") as folder:
        port = free_port()
        told = {"OPENAI_BASE_URL": engine_url, "DATABASE_URL": f"sqlite:///{folder}/chat.db"} | settings
        environment = clean_environment()
        environment |= {f"CHAT_{name}": str(value) for name, value in told.items() if value is not None}
        command = [sys.executable, "-m", "app", "--host", "127.0.0.1", "--port", str(port), "--bot", "openai"]
        launch = Launch(
            command=command,
            environment=environment,
            port=port,
            ready_path="/api/health",
            start_seconds=_START_SECONDS,
            log=Path(folder, "log"),
        )
        program = Program(launch)
        try:
            await program.start(lambda _: None)
            async with Client(program.url) as client:
                yield client
        finally:
            program.kill()
