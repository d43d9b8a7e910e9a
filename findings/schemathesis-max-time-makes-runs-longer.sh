#!/bin/sh
# Adding `--max-time` to a schemathesis run makes it longer, and cancels `--max-examples`.
#
# Version:  schemathesis 4.32.5 (PyPI)
# Expected: two maxima together: the run ends at whichever comes first. 5 examples are done after a second.
# Seen:     the time is a budget that is spent: fuzzing starts over until it is used up, whatever --max-examples says,
#           although that is "the maximum number of test cases per API operation". With `--max-examples 5` the server
#           receives about 7 requests in a second; with `--max-time 12` as well, over 100 in 12 seconds.
# Matters:  to CI jobs that set a generous limit as a safety net (each run now takes all of it), and to services that
#           pay for each request or limit their rate: the number of requests has no bound any more.
# Needs:    Python 3.11
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q schemathesis==4.32.5
cat >find.py <<'PY'
import http.server
import json
import pathlib
import subprocess
import threading
import time

parameter = {"name": "q", "in": "query", "schema": {"type": "string"}}
answers = {"200": {"description": "Found", "content": {"application/json": {"schema": {"type": "object"}}}}}
operation = {"operationId": "find", "parameters": [parameter], "responses": answers}
document = {"openapi": "3.1.0", "info": {"title": "F", "version": "1"}, "paths": {"/find": {"get": operation}}}
pathlib.Path("openapi.json").write_text(json.dumps(document))


class Handler(http.server.BaseHTTPRequestHandler):
    requests = 0

    def do_GET(self):
        Handler.requests += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments):
        pass


def run(*options):
    Handler.requests = 0
    begun = time.monotonic()
    checks = ["--checks", "response_schema_conformance", "--phases", "fuzzing", "--max-examples", "5"]
    url = f"http://127.0.0.1:{server.server_port}"
    command = ["venv/bin/schemathesis", "run", "openapi.json", "--url", url, *checks, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"{options}: {Handler.requests} requests in {time.monotonic() - begun:.0f} s, starting included")
    return Handler.requests


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
without = run()
budget = run("--max-time", "12")
same = without < 10 and budget > 3 * without
print("As described: the limit adds requests." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 120 venv/bin/python find.py
