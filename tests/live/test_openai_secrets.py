"""No secrets, and no text of an engine except the reply, reach a client or the log."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bots.faults import CANARY, FAULTS, NONSENSE
from tests.support.addresses import CHAT, WHOLE
from tests.support.completions import begun, chunk
from tests.support.engine import FakeEngine, engine_beside
from tests.support.server import LiveServer
from tests.support.wire import Wire, post

_ROOT = Path(__file__).parent.parent.parent


def test_nothing_that_is_secret_is_told_or_logged() -> None:
    """After every kind of fault: no text of the engine, no key, no header, no prompt, no message.

    Neither to the client nor in the log at its most verbose level.
    """
    canaries = {name: f"{name}-canary-{n}" for n, name in enumerate(("key", "header", "field", "prompt", "message"))}
    scripts = [fault.script for fault in FAULTS.values()]
    scripts += [[*begun(chunk("Hi "), chunk("there"), 0.05), *steps] for steps in NONSENSE.values()]
    engine = FakeEngine(*scripts)
    with (
        engine_beside(engine),
        LiveServer(
            "openai",
            log_level="debug",
            openai_base_url=engine.url,
            openai_model="a-model",
            openai_api_key=canaries["key"],
            openai_headers=json.dumps({"X-Secret": canaries["header"]}),
            openai_extra_body=json.dumps({canaries["field"]: canaries["field"]}),
            openai_first_byte_seconds=0.3,
            openai_first_token_seconds=0.3,
            openai_between_bytes_seconds=0.3,
            system_prompt=canaries["prompt"],
            first_word_seconds=60,
        ) as server,
    ):

        def ask(number: int) -> bytes:
            with Wire(server.port) as wire:
                wire.send(post(canaries["message"], path=CHAT if number % 5 else WHOLE))
                told = wire.answer()
                if told.status == 200 and number % 5:
                    assert told.transcript().problem.status in {422, 429, 502, 503, 504}
            return repr(told.headers).encode() + told.body

        with ThreadPoolExecutor(8) as clients:
            told = b"".join(clients.map(ask, range(len(scripts))))
        assert len(engine.exchanges) >= len(scripts)
        server.terminate()
        server.wait()
    log = server.log()
    for canary in (CANARY, "sk-live-0", *canaries.values()):
        assert canary not in log
        assert canary.encode() not in told
    assert "Traceback" not in log
    assert server.log_entries()


def _run(setting: tuple[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", "--bot", "openai"],
        cwd=_ROOT,
        env=os.environ | dict([setting]),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_a_setting_that_is_not_understood_is_named_and_not_repeated() -> None:
    """It may contain a key."""
    settings = [
        ("CHAT_OPENAI_HEADERS", '{"Authorization": "canary'),
        ("CHAT_OPENAI_BASE_URL", "http://user:canary@127.0.0.1/v1"),
    ]
    with ThreadPoolExecutor(2) as processes:
        for (name, value), ended in zip(settings, processes.map(_run, settings), strict=True):
            assert name in ended.stderr, value
            assert "canary" not in ended.stdout + ended.stderr
            assert "Traceback" not in ended.stderr
            assert ended.returncode == 2
