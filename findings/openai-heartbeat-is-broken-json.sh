#!/bin/sh
# After the first `id:` line, a heartbeat comment makes the openai package for Python fail with a JSON error.
#
# Version:  openai 3.57.0 (PyPI)
# Expected: `: ping` and a blank line are nothing: an event without data is not dispatched. It is the usual heartbeat.
# Seen:     the decoder remembers the last id, and takes each later blank line for an event with empty data, which
#           is then parsed as JSON. Without ids the same heartbeat does no harm, so each half passes its own test.
#           Heard: "Hello", then JSONDecodeError: Expecting value: line 1 column 1 (char 0)
# Matters:  to servers that speak OpenAI's protocol and add ids (so that a stream can be resumed) and heartbeats (so
#           that proxies do not cut it). The package is below many others, which inherit this. A block that has only
#           `retry:` does the same. A comment without a blank line of its own is safe.
# Needs:    Python 3.11
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q openai==3.57.0
cat >find.py <<'PY'
import http.server
import json
import threading

import openai


def chunk(text):
    choices = [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
    return json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices})


STREAMS = {
    "/plain": f"data: {chunk('Hello')}\n\n: ping\n\ndata: {chunk(' world')}\n\ndata: [DONE]\n\n",
    "/ids": f"id: 1\ndata: {chunk('Hello')}\n\n: ping\n\nid: 2\ndata: {chunk(' world')}\n\ndata: [DONE]\n\n",
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(STREAMS[self.path.removesuffix("/chat/completions")].encode())

    def log_message(self, *arguments):
        pass


def hear(path):
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}{path}", api_key="none", max_retries=0)
    heard = []
    try:
        messages = [{"role": "user", "content": "Hi"}]
        for part in client.chat.completions.create(model="m", messages=messages, stream=True):
            heard.append(part.choices[0].delta.content)
    except Exception as error:
        heard.append(type(error).__name__)
    print(path, heard)
    return heard


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
same = hear("/plain") == ["Hello", " world"] and hear("/ids") == ["Hello", "JSONDecodeError"]
print("As described: id and comment together break the stream." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 60 venv/bin/python find.py
