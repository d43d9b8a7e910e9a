#!/bin/sh
# The openai packages take a JSON answer to `stream: true`, even an error, for a reply without words.
#
# Version:  openai 3.57.0 (PyPI), openai 7.59.0 (npm)
# Expected: an answer of type application/json to a request for a stream raises an error, or is at least parsed.
# Seen:     neither looks at the content type. The body has no `data:` line, so the loop over the stream ends at once,
#           without a chunk and without an exception. An error object with status 200 vanishes like that, and so does a
#           whole `chat.completion` from an engine that does not stream.
# Matters:  to gateways that put errors into a 200, and to tests that only check that "no exception was raised".
#           Clients must treat a stream without a finish reason as failed.
# Needs:    Python 3.11, Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q openai==3.57.0
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund openai@7.59.0
cat >find.mjs <<'JS'
import OpenAI from 'openai'
const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'none', maxRetries: 0 })
let chunks = 0
const stream = await client.chat.completions.create({
  model: 'm', messages: [{ role: 'user', content: 'Hi' }], stream: true,
})
for await (const _ of stream) chunks += 1
console.log(`chunks: ${chunks}`)
JS
cat >find.py <<'PY'
import http.server
import subprocess
import threading

import openai


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"error": {"message": "The model is overloaded.", "type": "server_error", "code": null}}')

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
try:
    messages = [{"role": "user", "content": "Hi"}]
    python = f"chunks: {len(list(client.chat.completions.create(model='m', messages=messages, stream=True)))}"
except Exception as error:
    python = repr(error)
node = subprocess.run(["node", "find.mjs", url], capture_output=True, text=True, check=False)
print("Python ", python)
print("Node   ", node.stdout.strip(), node.stderr[-300:])
same = (python, node.stdout.strip(), node.returncode) == ("chunks: 0", "chunks: 0", 0)
print("As described: the error is silent." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 60 venv/bin/python find.py
