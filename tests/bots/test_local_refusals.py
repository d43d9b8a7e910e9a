"""What the bot `local` cannot run: it says why, and what to do next."""

import json
import os
import re
from pathlib import Path

import psutil
import pytest

from app.bots.local import Local, LocalModel
from app.chat.errors import BotNotConfigured
from tests.support.llama import small_model
from tests.support.local import ask, chat, local_server
from tests.support.poor import POOR
from tests.support.server import LiveServer
from tests.support.wire import get

_MEGABYTE = 10**6


def _refusal(path: Path | None = None, context_tokens: int = 4096) -> str:
    """Why the bot cannot be created. `test_choosing` checks that the operator sees this."""
    model = LocalModel(
        path=path, context_tokens=context_tokens, slots=4, max_tokens=None, temperature=None, system_prompt=None
    )
    with pytest.raises(BotNotConfigured) as refused:
        Local(model)
    return str(refused.value)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """At once, with its path."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"PK\3\4" + b"x" * 1000)
    assert _refusal(path) == f"{path} is not a model in GGUF format. Next: check CHAT_LOCAL_MODEL_PATH"


@pytest.mark.parametrize(("name", "why"), [("none.gguf", "No such file or directory"), ("", "Is a directory")])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, why: str) -> None:
    """Likewise."""
    path = tmp_path / name
    assert _refusal(path) == f"the model {path} cannot be read: {why}. Next: check CHAT_LOCAL_MODEL_PATH"


def test_a_model_that_is_larger_than_the_memory_is_refused(tmp_path: Path) -> None:
    """Before anything is allocated."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    size = psutil.virtual_memory().total + 10 * _MEGABYTE
    os.truncate(path, size)  # sparse: takes no space on disk
    assert re.fullmatch(
        rf"the model takes more than {size // _MEGABYTE} MB of memory, but only \d+ MB are free\. "
        r"Next: use a smaller model",
        _refusal(path),
    )


def test_more_context_than_any_machine_has_is_refused() -> None:
    """llama.cpp would fill the memory before it notices, or truncate the number."""
    assert _refusal(context_tokens=2**22 + 1) == (
        "CHAT_LOCAL_CONTEXT_TOKENS times CHAT_LOCAL_SLOTS is more than 16777216. Next: lower one of them"
    )


def _told(server: LiveServer) -> str:
    """The log line for a model that cannot be loaded. The service stays up and retries."""
    line = server.wait_for_log(lambda line: "the model could not be loaded" in line, 30)
    server.wait_for_log(lambda line: "the model will be restarted in 2 s" in line)
    assert ask(server, get("/api/health")).status == 200
    for sent in (get("/api/ready"), chat("hello")):
        refused = ask(server, sent)
        assert (refused.status, refused.problem_code()) == (503, "bot-unavailable")
    server.terminate()
    server.wait()
    assert "Traceback" not in server.log()
    assert server.log_entries()
    return str(json.loads(line)["event"])


@pytest.mark.parametrize(
    ("kept", "why"),
    [(50 * _MEGABYTE, "model is corrupted or incomplete"), (1000, "exceeds remaining file size")],
    ids=["in the middle", "in its head"],
)
def test_a_model_that_is_cut_off_is_told_of(tmp_path: Path, kept: int, why: str) -> None:
    """An incomplete download looks like a model until it is loaded."""
    path = tmp_path / "model.gguf"
    with small_model().open("rb") as whole:
        path.write_bytes(whole.read(kept))
    with local_server(local_model_path=path) as server:
        event = _told(server)
    assert why in event
    assert event.endswith(". Next: check that CHAT_LOCAL_MODEL_PATH is complete, and that llama.cpp supports the model")


def test_too_little_memory_for_the_context_is_told_of() -> None:
    """The model itself would fit."""
    with local_server(program=POOR, local_context_tokens=2**19, local_slots=1) as server:
        assert _told(server) == (
            "the model could not be loaded: too little memory. "
            "Next: a smaller model, or less of CHAT_LOCAL_SLOTS and CHAT_LOCAL_CONTEXT_TOKENS"
        )
