#!/bin/sh
# `redocly diff` rates the removal of a response's whole schema as a patch, and widening one number in it as major.
#
# Version:  @redocly/cli 2.77.0 (npm); the command is marked experimental
# Expected: removing a schema breaks more than loosening it: without one, a response may be anything.
# Seen:     `maximum: 10` to `maximum: 1000` in a response: major. The `schema` removed: patch. The same with a
#           response header: removed it is major, no longer required (so that it may be absent at any time): patch.
# Matters:  to pipelines that take the release's version or their verdict from the command.
# Needs:    Python 3.11, Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @redocly/cli@2.77.0
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
cat >find.py <<'PY'
import copy
import json
import pathlib
import subprocess

number = {"type": "integer", "maximum": 10}
response = {
    "description": "A number",
    "headers": {"X-Request-Id": {"required": True, "schema": {"type": "string"}}},
    "content": {"application/json": {"schema": {"type": "object", "required": ["n"], "properties": {"n": number}}}},
}
CHANGES = {
    "maximum widened": lambda r: r["content"]["application/json"]["schema"]["properties"]["n"].update(maximum=1000),
    "schema removed": lambda r: r["content"]["application/json"].pop("schema"),
    "header removed": lambda r: r["headers"].pop("X-Request-Id"),
    "header optional": lambda r: r["headers"]["X-Request-Id"].update(required=False),
}


def write(name, answer):
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Numbers", "version": "1.0.0"},
        "paths": {"/number": {"get": {"operationId": "number", "responses": {"200": answer}}}},
    }
    pathlib.Path(name).write_text(json.dumps(document))


write("before.json", response)
verdicts = {}
for name, change in CHANGES.items():
    changed = copy.deepcopy(response)
    change(changed)
    write("after.json", changed)
    command = ["node_modules/.bin/redocly", "diff", "before.json", "after.json", "--format", "json"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    verdicts[name] = json.loads(said).get("bump")
    print(f"{name:16} {verdicts[name]}")
same = list(verdicts.values()) == ["major", "patch", "major", "patch"]
print("As described: dropping the schema is a patch." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 120 python3 find.py
