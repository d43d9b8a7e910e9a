#!/bin/sh
# LiteLLM reports a stream that its upstream cut off as finished: it makes up `finish_reason: "stop"` and the usage.
#
# Version:  litellm 1.106.12 (PyPI)
# Expected: a stream that ends without a finish reason and without `[DONE]` is passed on as it is, or raises.
# Seen:     LiteLLM adds a chunk with `finish_reason: "stop"` of its own, and usage counted by itself, as if the engine
#           had said so. Upstream: "Hello", " wor", end. Delivered: "Hello", " wor", "stop", 2 completion tokens.
# Matters:  to each chat backend behind it. "Look for the finish reason" is the only way to notice an engine that
#           died in the middle (proxies turn resets into clean ends), and behind LiteLLM it does not work.
# Needs:    Python 3.11
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q litellm==1.106.12
cat >find.py <<'PY'
import http.server
import json
import threading

import litellm


class Upstream(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for text in ("Hello", " wor"):
            choices = [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=server.serve_forever, daemon=True).start()
stream = litellm.completion(
    model="openai/m",
    api_base=f"http://127.0.0.1:{server.server_port}",
    api_key="none",
    messages=[{"role": "user", "content": "Hi"}],
    stream=True,
    stream_options={"include_usage": True},
)
chunks = list(stream)
texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason]
usages = [chunk.usage.completion_tokens for chunk in chunks if getattr(chunk, "usage", None)]
print("texts", texts, "finish reasons", reasons, "completion tokens", usages)
same = (texts, reasons, usages) == (["Hello", " wor"], ["stop"], [2])
print("As described: the cut passes for an end." if same else "This has changed.")
raise SystemExit(not same)
PY
LITELLM_LOCAL_MODEL_COST_MAP=True timeout 90 venv/bin/python find.py
