#!/bin/sh
# `raise HTTPException(404)` as the first line of a FastAPI endpoint that streams events answers 200 and a broken body.
#
# Version:  fastapi 0.165.0, uvicorn 0.54.0 (PyPI)
# Expected: the exception is raised before anything was yielded, so the handler for it answers 404 as everywhere else.
# Seen:     with `response_class=EventSourceResponse` and `yield` in the body, the function runs only after the head
#           has been sent. The client gets 200 with an empty, unfinished body, the log an ExceptionGroup; handlers
#           registered for the exception are not asked. Moved into a dependency, the same line answers 404.
# Matters:  to streams that look something up first (a conversation, a quota): the 404, 409 and 429 of the contract
#           cannot be answered from there. EventSource takes the outcome for a lost connection and asks again.
# Needs:    Python 3.11
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q fastapi==0.165.0 uvicorn==0.54.0
cat >find.py <<'PY'
import http.client
import socket
import threading
from collections.abc import AsyncIterable

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.sse import EventSourceResponse

app = FastAPI()


def conversation():
    raise HTTPException(404)


@app.get("/body", response_class=EventSourceResponse)
async def in_the_body() -> AsyncIterable[str]:
    conversation()
    yield "hello"


@app.get("/dependency", response_class=EventSourceResponse, dependencies=[Depends(conversation)])
async def in_a_dependency() -> AsyncIterable[str]:
    yield "hello"


listener = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(app, log_config=None))
threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
seen = []
for path in ("/body", "/dependency"):
    client = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=10)
    client.request("GET", path)
    answer = client.getresponse()
    try:
        body = answer.read().decode()
    except http.client.IncompleteRead as error:
        body = f"cut after {len(error.partial)} bytes"
    seen.append((answer.status, answer.headers.get_content_type(), body))
    print(path, seen[-1])
same = seen == [
    (200, "text/event-stream", "cut after 0 bytes"),
    (404, "application/json", '{"detail":"Not Found"}'),
]
print("As described: the endpoint answers 200." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 60 venv/bin/python find.py 2>/dev/null
