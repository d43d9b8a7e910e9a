"""The service as a gateway to an engine, compared with the engine itself, LiteLLM's proxy, and the core alone.

A token costs the core as much as any delta of a bot. The rest is the gateway's own cost: reading the engine's stream.
The simulator, which sends the same words with one delta per word, separates the two. The engine shares the load
generator's core, so that the gateway has a core of its own.

A word is complete when the next one begins, so in both dialects the time to a word is the time to the token after it.
"""

import json
import shutil
import sys
from operator import sub
from pathlib import Path
from string import ascii_lowercase

from .dialects import COMPLETIONS, KEY, MODEL
from .measuring import (
    CONNECTIONS,
    Beside,
    Effort,
    Metric,
    Result,
    Scenario,
    measure_crowd,
    measure_loop,
)
from .servers import Launch, Running, Server, service

TOKENS = 200
STREAMS = 200
PACE_MS = 20
WORD_LENGTH = 5


def engine(port: int, _: int) -> Launch:
    return Launch([sys.executable, "-m", "scripts.benchmark.peers.engine", str(port)])


def gateway(port: int, engine_port: int) -> Launch:
    command = [sys.executable, "-m", "app", "--host", "127.0.0.1", "--port", str(port), "--bot", "openai"]
    return Launch(command, {"CHAT_OPENAI_BASE_URL": base_url(engine_port), "CHAT_OPENAI_MODEL": MODEL})


def base_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"


class LiteLLM:
    """As its documentation recommends for production, without fetching its price list from the network."""

    def __init__(self, executable: Path) -> None:
        self.executable = executable

    def __call__(self, port: int, engine_port: int) -> Launch:
        model = {"model": f"openai/{MODEL}", "api_base": base_url(engine_port), "api_key": KEY}
        config = {
            "model_list": [{"model_name": MODEL, "litellm_params": model}],
            "litellm_settings": {"telemetry": False},
        }
        bound = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        environment = {
            "LITELLM_MASTER_KEY": KEY,
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": "",
        }
        command = [str(self.executable), "--config", "config.yaml", *bound]
        return Launch(command, environment, {"config.yaml": json.dumps(config)})


ENGINE = Server("direct", "engine itself", engine, judged=True, dialect=COMPLETIONS, with_load=True)


def gateways(litellm: str | None) -> list[Server]:
    """In the order of the table. LiteLLM, which the project does not depend on, is included if found or named."""
    found = shutil.which(litellm or "litellm")
    proxies: list[Server] = []
    if found:
        launch = LiteLLM(Path(found).absolute())
        judged = litellm is not None  # if named explicitly, measure it in every round
        proxies.append(Server("litellm", "LiteLLM proxy", launch, judged, COMPLETIONS, before=ENGINE))
    return [
        Server("service", "this service", gateway, judged=True, before=ENGINE),
        Server("core", "core alone", service, judged=True),
        ENGINE,
        *proxies,
    ]


def burst() -> tuple[str, list[str]]:
    """A message, and its words: of equal length, so that the simulator can send each in its own delta without a pause.

    They differ because LiteLLM aborts a model that repeats itself.
    """
    starts = (n % (len(ascii_lowercase) - WORD_LENGTH) for n in range(TOKENS))
    words = [ascii_lowercase[start : start + WORD_LENGTH] for start in starts]
    return f"/simulate chunk={WORD_LENGTH + 1}\n{' '.join(words)}", words


async def measure_burst(server: Running, effort: Effort) -> Result:
    message, words = burst()
    answers = await measure_loop(server, effort, message, words)
    return Result({**cpu(server, answers.cpu_us(answers.words())), **answers.first()})


async def measure_streams(server: Running, effort: Effort) -> Result:
    answers, note = await measure_crowd(server, effort, streams=STREAMS, pace_ms=PACE_MS)
    return Result({**cpu(server, answers.cpu_us(answers.words())), **answers.first(), **answers.gaps()}, note)


def cpu(server: Running, us: float) -> dict[str, float]:
    """The CPU figure, for gateways only."""
    return {} if server.server.with_load else {"cpu_us_a_token": us}


ON_TOP_OF_CORE = (Beside("+core", "core", sub), Beside("xbefore", "before"))
ADDED = (Beside("+direct", "direct", sub),)
CPU_TOKEN = Metric("cpu_us_a_token", "CPU per token", "µs", 2, ON_TOP_OF_CORE)
FIRST = (
    Metric("first_p50_ms", "first word p50", "ms", 1, ADDED),
    Metric("first_p99_ms", "first word p99", "ms", 1, ADDED),
)
GAPS = (Metric("gap_p50_ms", "gap p50", "ms", 1, ADDED), Metric("gap_p99_ms", "gap p99", "ms", 1, ADDED))

GATEWAY_SCENARIOS = (
    Scenario(
        "gateway-burst",
        f"Gateway: replies of {TOKENS} tokens at full speed, on {CONNECTIONS} connections",
        (CPU_TOKEN, *FIRST),
        measure_burst,
    ),
    Scenario(
        "gateway-streams",
        f"Gateway: {STREAMS} streams at {1000 // PACE_MS} tokens per second",
        (CPU_TOKEN, *FIRST, *GAPS),
        measure_streams,
    ),
)
