#!/bin/sh
# AG-UI's own client cannot read the line ends that sse-starlette writes by default.
#
# Version:  @ag-ui/client 1.0.0 (npm), sse-starlette 3.7.0 (PyPI)
# Expected: a stream of server-sent events may end its lines with LF, CR LF or CR: each client splits at all three.
# Seen:     HttpAgent looks for two line feeds in a row. With sse-starlette's CR LF it finds none, joins all events of
#           the run and fails with a JSON syntax error when the stream ends. With `sep="\n"` the same run succeeds.
# Matters:  to Python servers that speak AG-UI: other readers (curl, browsers, httpx-sse) show a flawless stream.
# Needs:    Python 3.11, Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q sse-starlette==3.7.0 uvicorn==0.54.0
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @ag-ui/client@1.0.0
cat >find.mjs <<'JS'
import { HttpAgent } from '@ag-ui/client'
console.error = () => {}
for (const path of ['lf', 'default']) {
  try {
    const { newMessages } = await new HttpAgent({ url: `${process.argv[2]}/${path}` }).runAgent()
    console.log(path, newMessages[0].content)
  } catch (error) {
    console.log(path, error.name)
  }
}
JS
cat >find.py <<'PY'
import json
import socket
import subprocess
import threading

import uvicorn
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.routing import Route


async def run(request):
    body = await request.json()
    ids = {"threadId": body["threadId"], "runId": body["runId"]}

    async def events():
        yield {"data": json.dumps({"type": "RUN_STARTED", **ids})}
        yield {"data": json.dumps({"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"})}
        yield {"data": json.dumps({"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "hello"})}
        yield {"data": json.dumps({"type": "TEXT_MESSAGE_END", "messageId": "m"})}
        yield {"data": json.dumps({"type": "RUN_FINISHED", **ids})}

    return EventSourceResponse(events(), **({"sep": "\n"} if request.url.path == "/lf" else {}))


listener = socket.create_server(("127.0.0.1", 0))
app = Starlette(routes=[Route("/{path}", run, methods=["POST"])])
server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
url = f"http://127.0.0.1:{listener.getsockname()[1]}"
said = subprocess.run(["node", "find.mjs", url], capture_output=True, text=True, check=False).stdout
print(said, end="")
same = said == "lf hello\ndefault SyntaxError\n"
print("As described: CR LF is refused." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 60 venv/bin/python find.py
