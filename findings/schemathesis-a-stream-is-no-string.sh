#!/bin/sh
# The usual way to describe a stream in OpenAPI, `schema: {type: string}`, makes schemathesis fail each correct answer.
#
# Version:  schemathesis 4.32.5 (PyPI)
# Expected: a body of text/event-stream is a text, and `type: string` describes it: in OpenAPI 3.1 it is what most
#           code generators understand.
# Seen:     schemathesis parses the stream and checks the outcome instead of the text: under 3.1 each event, an object
#           {"data": ..., "event": ...}, under 3.2 the array of all events. Neither is a string: ST108 for all streams.
#           With `schema: {}` the same server passes.
# Matters:  to those who derive a 3.1 document for generators and test with it: one tool refutes what the other needs.
#           Test with a 3.2 document that has `itemSchema`, and give the generators a derived one.
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


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: hello\n\ndata: world\n\n")

    def log_message(self, *arguments):
        pass


def test(version, schema):
    answers = {"200": {"description": "Words", "content": {"text/event-stream": {"schema": schema}}}}
    operation = {"operationId": "words", "responses": answers}
    document = {"openapi": version, "info": {"title": "W", "version": "1"}, "paths": {"/words": {"get": operation}}}
    pathlib.Path("openapi.json").write_text(json.dumps(document))
    options = ["--checks", "response_schema_conformance", "--phases", "fuzzing", "--max-examples", "3"]
    url = f"http://127.0.0.1:{server.server_port}"
    command = ["venv/bin/schemathesis", "run", "openapi.json", "--url", url, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = next((line.strip() for line in done.stdout.splitlines() if "is not of type" in line), "passes")
    print(f"OpenAPI {version} {schema}: {said}")
    return done.returncode, said


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
event = '{"data":"%s","event":"message"}'
same = (
    test("3.1.0", {}) == (0, "passes")
    and test("3.1.0", {"type": "string"}) == (1, f'Event #0: {event % "hello"} is not of type "string"')
    and test("3.2.0", {"type": "string"}) == (1, f'[{event % "hello"},{event % "world"}] is not of type "string"')
)
print("As described: a stream is no string." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 120 venv/bin/python find.py
