"""`python -m app.bots.llama`: a model on this CPU, behind an OpenAI-compatible server on loopback.

A process of its own, for loading holds the interpreter's lock from beginning to end, and because what can go wrong in
native code (too little memory, a processor without AVX2) should not take the chat service with it. Reads one line of
JSON, `Options`, from its standard input; writes the server's address to its standard output once the model is loaded;
ends when its input ends, which it does however its parent dies.

Needs the extra `local`.
"""

import json
import os
import signal
import sys
from dataclasses import dataclass

_BATCH_TOKENS = 32
"""So many tokens of a prompt are read in one go, which nothing can interrupt: who leaves a long one holds up all slots
until then. At llama.cpp's own 2,048 that took 40 to 54 s on one busy core, at 32 one to two; reading was as fast."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the parent sends. The key is not among the arguments, which others can see."""

    model_path: str
    api_key: str
    context_tokens: int
    """For each reply: history, message and reply together."""
    slots: int
    """So many replies are made at the same time."""
    threads: int


def main() -> None:
    """Load, serve, and wait for the parent to leave."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # who stops all processes at once lets the parent finish its replies
    options = Options(**json.loads(sys.stdin.buffer.readline()))
    import xllamacpp  # noqa: PLC0415 - whatever goes wrong in it is to be told by this process

    params = xllamacpp.CommonParams()
    params.model.path = options.model_path
    params.api_keys = [options.api_key]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = options.context_tokens * options.slots
    params.n_parallel = options.slots
    params.cpuparams.n_threads = options.threads
    params.n_batch = params.n_ubatch = max(_BATCH_TOKENS, options.slots)
    params.ui = params.endpoint_slots = params.endpoint_metrics = False
    params.offline = True
    params.cache_ram_mib = 0  # what it keeps of earlier prompts would grow to gigabytes
    params.verbosity = 1  # errors
    try:
        server = xllamacpp.Server(params)
    except RuntimeError:
        sys.exit(1)  # the reason is told on standard error, by a thread that the ordinary way waits for
    try:
        print(server.listening_address, flush=True)  # noqa: T201 - this is what the parent waits for
        while sys.stdin.buffer.read(4096):
            pass
    finally:  # also where the parent has left meanwhile, and nobody takes the address
        # Not the ordinary way: at the interpreter's end, native threads that still serve would be waited for.
        os._exit(0)


if __name__ == "__main__":
    main()
