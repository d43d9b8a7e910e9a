"""llama.cpp's server as the package xllamacpp has it, with options that are named as those of `llama-server`.

Runs in the engine's own environment, and so imports nothing of this project.
"""

import argparse
import signal

import xllamacpp


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", dest="model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ctx-size", type=int, default=0)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--threads", type=int, default=-1)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--api-key")
    options = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.port = options.port
    params.n_ctx = options.ctx_size
    params.n_parallel = options.parallel
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.n_batch = options.batch_size
    params.api_keys = [options.api_key] if options.api_key else []
    params.ui = False
    params.offline = True
    params.verbosity = 1
    server = xllamacpp.Server(params)  # which ends with the last that refers to it
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
