"""The same words in our own protocol and in OpenAI's: what a word costs, whatever the number of events it comes in."""

from .dialects import COMPLETIONS
from .gateway import TOKENS, burst
from .measuring import CONNECTIONS, FIRST, Beside, Effort, Metric, Result, Scenario, measure_crowd, measure_loop
from .servers import Running, Server, service

STREAMS = 500
PACE_MS = 50


def protocol_servers() -> list[Server]:
    return [
        Server("ours", "our own stream", service, judged=True),
        Server("openai", "OpenAI's protocol", service, judged=True, dialect=COMPLETIONS),
    ]


async def measure_burst(server: Running, effort: Effort) -> Result:
    message, words = burst()
    answers = await measure_loop(server, effort, message, words)
    return Result({"cpu_us_a_word": answers.cpu_us(answers.words()), **answers.first()})


async def measure_streams(server: Running, effort: Effort) -> Result:
    answers, note = await measure_crowd(server, effort, streams=STREAMS, pace_ms=PACE_MS)
    return Result({"cpu_us_a_word": answers.cpu_us(answers.words()), **answers.first()}, note)


CPU_WORD = Metric("cpu_us_a_word", "CPU per word", "µs", 2, (Beside("xours", "ours"),))

PROTOCOL_SCENARIOS = (
    Scenario(
        "protocol-burst",
        f"Protocols: {TOKENS} words at full speed, on {CONNECTIONS} connections",
        (CPU_WORD, *FIRST),
        measure_burst,
    ),
    Scenario(
        "protocol-streams",
        f"Protocols: {STREAMS} streams at {1000 // PACE_MS} words per second",
        (CPU_WORD, *FIRST),
        measure_streams,
    ),
)
