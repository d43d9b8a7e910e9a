"""`python -m app.bots.llama`: a model on this CPU, behind an OpenAI-compatible server on loopback.

A separate process, because loading a model holds the GIL throughout, and because a crash in native code (out of memory,
a processor without AVX2) must not take the chat service with it. Reads one line of JSON, `Options`, from standard
input; writes the server's address to standard output when the model is loaded; exits when its input is closed, which
happens however the parent dies.

Needs the extra `local`.
"""

import json
import os
import signal
import sys
from dataclasses import dataclass

_BATCH_TOKENS = 32
"""Batch size for prompts. A batch cannot be interrupted, so cancelling a long prompt blocks all slots until it ends: at
llama.cpp's default of 2,048 for 40 to 54 s on one busy core, at 32 for one to two; throughput was the same."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the parent sends. Not as arguments, which other users can see: the key is among it."""

    model_path: str
    api_key: str
    context_tokens: int
    """For each reply: history, message and reply together."""
    slots: int
    """How many replies are generated concurrently."""
    threads: int


def main() -> None:
    """Load the model, serve it, and wait until the parent closes the input."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # if all processes get it at once, the parent still finishes replies
    options = Options(**json.loads(sys.stdin.buffer.readline()))
    import xllamacpp  # noqa: PLC0415 - this process reports its import errors

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
    params.cache_ram_mib = 0  # its cache of earlier prompts would grow to gigabytes
    params.verbosity = 1  # errors
    try:
        server = xllamacpp.Server(params)
    except RuntimeError:
        sys.exit(1)  # a thread writes the reason to standard error; a normal exit waits for it
    try:
        print(server.listening_address, flush=True)  # noqa: T201 - this is what the parent waits for
        while sys.stdin.buffer.read(4096):
            pass
    finally:  # also if the parent has gone and nobody reads the address
        # Not a normal exit, which would wait for native threads that are still serving.
        os._exit(0)


if __name__ == "__main__":
    main()
